"""Kafka: no plaintext, no stranger, no other way to log in, and no certificate that is not a node's or the administrator's."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

from security.certificates import foreign_authority, lab_authority, signed
from security.evidence import refused
from security.lab import CA, KAFKA, MACHINES, lines_of, python_on

# A request for the API versions, as a client without TLS begins
_API_VERSIONS = bytes.fromhex("0000000e001200000000000100047465737400")
# Each in a process of its own: the client of Quartet remembers why it was refused.
_LOGIN = """
from kafka import KafkaConsumer
from kafka.errors import KafkaError
from quartet.kafka import client as kafka_client
from quartet.runtime.errors import QuartetError, Unavailable
from quartet.runtime.settings import Kafka

try:
    if order["mechanism"]:
        KafkaConsumer(bootstrap_servers=order["kafka"], security_protocol="SASL_SSL", ssl_cafile=order["ca"], sasl_mechanism=order["mechanism"],
                      sasl_plain_username=order["user"], sasl_plain_password="wrong", bootstrap_timeout_ms=5000)
    else:
        kafka_client.connect_reader(Kafka(bootstrap_servers=[order["kafka"]], user=order["user"], ca_file=order["ca"]), "wrong")
    answer = [0, ""]
except (QuartetError, Unavailable, KafkaError) as error:
    answer = [int(getattr(error, "code", -1)), str(error)]
"""
_LOGINS = {
    "a wrong password": ("db_consumer", None),
    "an unknown user": ("nobody", None),
    "PLAIN": ("producer", "PLAIN"),
    "SCRAM-SHA-256": ("producer", "SCRAM-SHA-256"),
}


def test_plaintext_is_refused() -> None:
    since = time.time()
    with socket.create_connection((MACHINES["vm3"], 9093), 5) as plain:
        plain.settimeout(5)
        plain.sendall(_API_VERSIONS)
        try:
            answer = plain.recv(100)
        except OSError:
            answer = b""
    assert not answer or answer.startswith(b"\x15\x03"), answer  # the end of the connection, or TLS's alert
    (line,) = lines_of("vm3", "kafka", since, r"Failed authentication .*SSL handshake failed")
    refused("Kafka in plaintext", "broker: TLS", line)


def test_strangers_and_other_ways_to_log_in_are_refused() -> None:
    since = time.time()

    def log_in(user: str, mechanism: str | None) -> tuple[int, str]:
        code, message = python_on("vm2", "db_consumer", _LOGIN, kafka=KAFKA, ca=CA, user=user, mechanism=mechanism)
        return code, message

    with ThreadPoolExecutor() as threads:
        found = dict(zip(_LOGINS, threads.map(lambda login: log_in(*login), _LOGINS.values()), strict=True))
    (line,) = lines_of("vm3", "kafka", since, r"Failed authentication .*invalid credentials with SASL mechanism SCRAM-SHA-512")
    for name in ("a wrong password", "an unknown user"):
        code, message = found[name]
        assert code == 77, (name, message)
        assert "does not accept the user or the password" in message
        refused(f"Kafka with {name}", "broker: SCRAM; quartet: status 77", line)
    for name in ("PLAIN", "SCRAM-SHA-256"):
        code, message = found[name]
        assert code != 0, name
        (line,) = lines_of("vm3", "kafka", since, rf"Failed authentication .*{name}|[Uu]nsupported.*{name}")
        refused(f"Kafka with {name}", "broker: SASL", line)


_CERTIFICATES = """
import os, socket, ssl, tempfile
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

def connect(port, files):
    context = ssl.create_default_context(cafile=order["ca"])
    if files:
        context.load_cert_chain(*files)
    try:
        with socket.create_connection((order["address"], port), 5) as plain:
            with context.wrap_socket(plain, server_hostname=order["address"]) as secure:
                secure.settimeout(5)
                secure.sendall(bytes.fromhex("0000000e001200000000000100047465737400"))
                return f"answered: {secure.recv(100)!r}"  # with TLS 1.3 the refusal comes after the handshake
    except OSError as error:
        return str(error)

answer = {}
with tempfile.TemporaryDirectory(dir="/run") as folder:
    files = {}
    for name, pem in order["certificates"].items():
        files[name] = os.path.join(folder, name)
        with open(os.open(files[name], os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(pem)
    for port in order["ports"]:
        answer[f"no certificate at {port}"] = connect(port, None)
        answer[f"a foreign certificate at {port}"] = connect(port, [files["foreign"]])
    admin = KafkaAdminClient(bootstrap_servers=f"{order['address']}:9092", security_protocol="SSL", ssl_cafile=order["ca"],
                             ssl_certfile=files["stranger"], ssl_keyfile=files["stranger"], bootstrap_timeout_ms=10000)
    answer["stranger sees"] = admin.list_topics()
    try:
        answer["stranger makes"] = str(admin.create_topics(["sec-stranger"], validate_only=True))
    except KafkaError as error:
        answer["stranger makes"] = type(error).__name__
    admin.close()
"""


def test_only_certificates_of_the_node_and_the_administrator_count() -> None:
    """On the listeners for nodes and administration; tried on vm3 itself, which alone may reach them."""
    since = time.time()
    answer = python_on(
        "vm3",
        "producer",
        _CERTIFICATES,
        address=MACHINES["vm3"],
        ca=CA,
        ports=[9092, 9094],
        certificates={"foreign": signed(foreign_authority(), "quartet-admin"), "stranger": signed(lab_authority(), "stranger")},
    )
    for port in (9092, 9094):
        (line,) = lines_of("vm3", "kafka", since, rf"Failed authentication .*:{port}-.*SSL handshake failed")
        for what in ("no certificate", "a foreign certificate"):
            found = answer[f"{what} at {port}"]
            assert "alert" in found or "EOF" in found or "reset" in found, (what, port, found)
            refused(f"Kafka with {what} at port {port}", "broker: TLS", line)
    assert answer["stranger sees"] == []
    assert "Authorization" in answer["stranger makes"], answer
    (line,) = lines_of("vm3", "kafka", since, r"Principal = User:CN=stranger is Denied")
    refused("Kafka with a certificate of the CA, but of a stranger", "broker: access rules", line)
