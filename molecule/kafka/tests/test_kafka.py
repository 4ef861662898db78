"""Kafka on one VM: encrypted, closed to strangers, open to those whom an access rule names."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest
import yaml

PKI = "/etc/quartet/pki"
TOOLS = "/opt/quartet/kafka-server/bin"
# Runs on the VM as root, with the environment of the role's own modules: one JSON object of what was asked for in argv.
CLIENT = """
import json, pathlib, ssl, sys
import kafka
from kafka.errors import KafkaError

what, user, password, topic, group = sys.argv[1:6]
address = pathlib.Path("/etc/quartet/kafka/server.properties").read_text().split("advertised.listeners=")[1].split("CLIENT://")[1].split("\\n")[0].split(",")[0]
secret = pathlib.Path("/etc/quartet/secrets", user)
options = dict(bootstrap_servers=address, security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_plain_username=user,
               sasl_plain_password=password or secret.read_text(), bootstrap_timeout_ms=5000,
               ssl_context=ssl.create_default_context(cafile="/etc/quartet/pki/ca.crt"))
try:
    if what == "write":
        producer = kafka.KafkaProducer(**options, enable_idempotence=True, max_block_ms=5000, request_timeout_ms=5000,
                                       delivery_timeout_ms=10000, max_request_size=1 << 20)
        answer = producer.send(topic, key=b"k", value=b"v" * int(group or 3072), partition=0).get(timeout=10).offset
    else:
        consumer = kafka.KafkaConsumer(**options, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False)
        consumer.assign([kafka.TopicPartition(topic, 0)])
        found = []
        while not found:
            found = [record.timestamp_type for records in consumer.poll(1000).values() for record in records]
        consumer.commit()
        answer = found[0]
    print(json.dumps({"answer": answer}))
except KafkaError as error:
    print(json.dumps({"refused": type(error).__name__}))
"""


@pytest.fixture(scope="module")
def ask(host):
    """Produce or consume as a user."""

    def run(what, user, topic="frames", group="", password=""):
        words = ["/opt/quartet/kafka/current/bin/python", "-c", CLIENT, what, user, password, topic, group]
        result = host.run(f"timeout 60 {shlex.join(words)}")
        assert result.rc == 0, result.stderr + journal(host)
        return json.loads(result.stdout)

    return run


def journal(host):
    return host.run("journalctl --no-pager -n 60 -o cat -u kafka.service").stdout


@pytest.fixture(scope="module")
def address(host):
    return host.check_output("sed -n 's/.*CLIENT:..\\([0-9.]*\\):9093.*/\\1/p' /etc/quartet/kafka/server.properties | head -n 1")


def test_unit_is_active(host):
    service = host.service("kafka.service")
    assert service.is_running, journal(host)
    assert service.is_enabled
    assert host.check_output("systemctl show -P User kafka.service") == "kafka"


def test_unit_is_confined(host):
    answer = host.run("systemd-analyze security --offline=true --threshold=15 --no-pager /etc/systemd/system/kafka.service")
    assert answer.rc == 0, answer.stdout


@pytest.mark.parametrize("port", [9092, 9093, 9094])
def test_port_answers_tls_with_our_certificate(host, address, port):
    answer = host.run(
        f"openssl s_client -connect {address}:{port} -CAfile {PKI}/ca.crt -verify_return_error -verify_ip {address} < /dev/null"
    )
    assert "Verification: OK" in answer.stdout, answer.stderr


@pytest.mark.parametrize("port", [9092, 9093, 9094])
def test_port_refuses_plaintext(host, address, port):
    """A plaintext request for the API versions gets no answer (exit status 1), only the end of the connection."""
    probe = (
        "import socket,sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5); s.settimeout(5); "
        "s.sendall(bytes.fromhex('0000000e001200000000000100047465737400')); "
        "answer = s.recv(100); sys.exit(0 if answer[4:8] == bytes.fromhex('00000001') else 1)"
    )
    assert host.run(f'python3 -c "{probe}" {address} {port}').rc == 1


@pytest.mark.parametrize("port", [9092, 9094])
def test_port_refuses_clients_without_a_certificate(host, address, port):
    # With TLS 1.3 the refusal comes after the handshake, with the first read.
    answer = host.run(f"(sleep 1; echo; sleep 1) | openssl s_client -connect {address}:{port} -CAfile {PKI}/ca.crt")
    assert "alert" in answer.stderr, answer.stdout + answer.stderr


def test_a_certificate_alone_allows_nothing(host, address):
    """A principal that is not one of the super users sees no topic, though the CA signed it."""
    settings = "/root/stranger.properties"
    host.check_output(f"umask 077; sed s,kafka-admin.pem,stranger.pem, /etc/quartet/kafka/admin.properties > {settings}")
    assert host.check_output(f"{TOOLS}/kafka-topics.sh --bootstrap-server {address}:9092 --command-config {settings} --list") == ""


def test_the_command_line_tools_work(host, address):
    tool = f"{TOOLS}/kafka-topics.sh --bootstrap-server {address}:9092 --command-config /etc/quartet/kafka/admin.properties"
    assert set(host.check_output(f"{tool} --list").split()) >= {"frames", "private"}


def test_who_may_writes_and_reads(ask):
    assert isinstance(ask("write", "writer")["answer"], int)
    # 1: the broker's clock, not the producer's
    assert ask("read", "reader", group="readers-1")["answer"] == 1


@pytest.fixture(scope="module")
def settings(host, address, ask):
    """Every topic's settings in effect: name to value and the broker's settings that it comes from."""
    ask("write", "writer")
    ask("read", "reader", group="readers-1")  # makes __consumer_offsets
    tool = f"{TOOLS}/kafka-configs.sh --bootstrap-server {address}:9092 --command-config /etc/quartet/kafka/admin.properties"
    found = {}
    for line in host.check_output(f"{tool} --describe --all --entity-type topics").splitlines():
        if topic := re.match(r"All configs for topic (\S+) are:", line):
            rows = found.setdefault(topic[1], {})
        elif row := re.match(r"  (\S+?)=(\S*) sensitive=\S+ synonyms=\{(.*)\}", line):
            rows[row[1]] = row[2], re.findall(r"(?:STATIC|DEFAULT|DYNAMIC_DEFAULT)\w*:([^=]+)=", row[3])
    return found


def test_every_topic_flushes_each_append(settings):
    assert {topic: rows["flush.messages"][0] for topic, rows in settings.items()} == {
        "frames": "1",
        "private": "1",
        "__consumer_offsets": "1",
    }


def test_the_role_knows_the_settings_that_only_a_topic_has(settings):
    """And the broker's name of each, where the broker says one."""
    variables = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], "roles/kafka/vars/main.yml")
    table = yaml.safe_load(variables.read_text())["_kafka_topic_settings"]
    said = {name: brokers for name, (_, brokers) in settings["private"].items() if name not in brokers}
    assert table.keys() == said.keys()
    assert {name: table[name] for name, brokers in said.items() if brokers} == {
        name: brokers[0] for name, brokers in said.items() if brokers
    }


def test_wrong_password_is_refused(host, ask):
    # kafka-python tries again until its own timeout, so the broker says what it was.
    assert "refused" in ask("write", "writer", password="wrong")
    assert "due to invalid credentials with SASL mechanism SCRAM-SHA-512" in journal(host)


def test_foreign_topic_is_refused(ask):
    assert "refused" in ask("write", "writer", topic="private")
    assert ask("read", "reader", topic="private", group="readers-1")["refused"] == "TopicAuthorizationFailedError"


def test_foreign_group_is_refused(ask):
    assert ask("read", "reader", group="others")["refused"] == "GroupAuthorizationFailedError"


def test_reading_does_not_allow_writing(ask):
    assert "refused" in ask("write", "reader")


def test_no_topic_is_made_by_writing_to_it(ask):
    assert "refused" in ask("write", "writer", topic="unheard-of")


def test_oversized_record_is_refused(ask):
    assert ask("write", "writer", group=str(200_000))["refused"] in {"MessageSizeTooLargeError", "RecordTooLargeError"}


def test_password_shows_nowhere(host):
    """Neither in the journal, nor on a command line, nor in an environment, nor in a file that others may read."""
    for user in ("writer", "reader"):
        secret = f"/etc/quartet/secrets/{user}"
        assert host.run(f"journalctl --no-pager -o cat | grep -F -q -f {secret}").rc == 1
        assert host.run(f"cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' | grep -F -q -f {secret}").rc == 1
        assert host.run(f"grep -r -F -q -f {secret} /etc/quartet/kafka /etc/systemd /opt/quartet/kafka-server/bin").rc == 1


def test_acknowledged_records_survive_a_kill(host, ask):
    before = ask("write", "writer")["answer"]
    host.check_output("systemctl kill --signal=KILL kafka.service")
    answers = (ask("write", "writer") for _ in range(10))
    after = next(answer["answer"] for answer in answers if "answer" in answer)
    assert after > before, journal(host)


def test_tarball_was_installed_beside_the_jars(host):
    """The second installation of converge.yml: from an archive, complete, and without leaving the download behind."""
    folders = host.check_output("ls -d /opt/quartet/kafka-4.3.1-*").split()
    assert len(folders) == 2
    archived = next(folder for folder in folders if host.file(f"{folder}/.complete").exists)
    assert host.file(f"{archived}/libs/kafka-server-4.3.1.jar").exists
    assert not host.file(f"{archived}/archive.tgz").exists
    assert "4.3.1" in host.check_output(f"{archived}/bin/kafka-storage.sh --help && basename {archived}")


def test_manifest_names_what_was_installed(host):
    manifest = json.loads(host.file("/etc/quartet/manifest.d/kafka.json").content_string)
    assert manifest["units"] == ["kafka.service"]
    assert all(host.file(path).exists for path in manifest["paths"])
