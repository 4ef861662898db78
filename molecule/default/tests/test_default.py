"""The whole pipeline on one VM: what was sent is stored, classified and counted, under names that are not the defaults."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

IMAGES = 500
UNITS = [
    "kafka",
    "mongod",
    "spark-master",
    "spark-worker",
    "quartet-db-consumer@images",
    "quartet-db-consumer@inferences",
    "quartet-inference",
    "quartet-spark-stream",
    "quartet-exporter",
    "prometheus-node-exporter",
]
AUDITOR = "--config=/etc/quartet/spark_jobs/auditor.json"
# Asks the database as the auditor, past the product's own commands.
COUNT = """
import json, pathlib, pymongo
settings = json.load(open("/etc/quartet/spark_jobs/auditor.json"))
secrets = pathlib.Path("/etc/quartet/secrets/auditor")
client = pymongo.MongoClient(settings["mongodb"]["hosts"], username="auditor", tls=True, tlsCAFile=settings["mongodb"]["ca_file"],
                             password=(secrets / "mongodb-password").read_text().strip())
wrong = lambda name: {row["producer_id"]: row["incorrect_count"] for row in client["findings"][name].find()}
print(json.dumps({
    "collections": sorted(f"{name}.{collection}" for name in ("pictures", "findings") for collection in client[name].list_collection_names()),
    "images": client["pictures"]["originals"].count_documents({}),
    "inferences": client["findings"]["predictions"].count_documents({}),
    "batch": wrong("wrong_by_batch"),
    "stream": wrong("wrong_by_stream"),
}))
"""


def test_the_image_is_a_hardened_one(host):
    assert host.check_output("umask") == "0077"
    assert "noexec" in host.check_output("findmnt --noheadings --output OPTIONS /tmp")
    assert host.file("/etc/pip.conf").content_string == "[global]\ntimeout = 77\n"


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_active(host, unit):
    service = host.service(f"{unit}.service")
    assert service.is_running, host.check_output("journalctl --no-pager -n 60 -u %s", unit)
    assert service.is_enabled


@pytest.fixture(scope="module")
def drained(host):
    """Wait until everything that was sent is stored, classified and counted, and return the recount's verdict."""
    deadline = time.monotonic() + 300
    while (left := host.run(f"quartet status {AUDITOR} --drained")).rc != 0:
        assert time.monotonic() < deadline, left.stdout + left.stderr + host.check_output("journalctl --no-pager -n 100 -u 'quartet-*'")
        time.sleep(3)
    # one that the timer began before may not have seen everything
    host.check_output(
        "while systemctl is-active quartet-spark-batch.service | grep -q activating; do sleep 1; done; "
        "systemctl start quartet-spark-batch.service"
    )
    export = "/opt/quartet/producer/current/bin/quartet ledger export --state-directory=/var/lib/quartet-producer"
    host.check_output(f"umask 077 && {export} > /run/ledgers.json")
    return host.run(f"quartet verify {AUDITOR} --ledgers=/run/ledgers.json --work=/var/tmp --json=/run/verify.json")


def test_the_recount_agrees(drained):
    assert drained.rc == 0, drained.stdout + drained.stderr


def test_everything_lies_under_the_chosen_names(host, drained):
    found = json.loads(host.check_output("/opt/quartet/db_consumer/current/bin/python -c '{}'".format(COUNT.replace("'", '"'))))
    assert found["collections"] == ["findings.predictions", "findings.wrong_by_batch", "findings.wrong_by_stream", "pictures.originals"]
    assert found["images"] == found["inferences"] == IMAGES
    assert found["batch"] == found["stream"]
    assert found["batch"]["102"] > found["batch"]["101"] + 20


def test_the_batch_left_a_table_and_a_chart(host, drained):
    folder = "/var/lib/quartet-spark/results"
    table = host.file(f"{folder}/incorrect_inference_results.csv").content_string.splitlines()
    assert len(table) == 3, table
    assert host.file(f"{folder}/incorrect_inference_results.png").content[:8] == b"\x89PNG\r\n\x1a\n"


def test_nothing_listens_that_should_not(host):
    """Beside ssh, Kafka, the database and Spark only loopback has ports."""
    sockets = host.check_output("ss -Hltn").splitlines()
    ports = {
        int(line.split()[3].rsplit(":", 1)[1]) for line in sockets if not line.split()[3].startswith(("127.", "[::1]", "[::ffff:127."))
    }
    observed = {8443, 9100, 9211, 9212, 9221, 9230, 9240, 9301, 9302}
    assert ports - {22, 9092, 9093, 9094, 27017} - observed <= set(range(7077, 7100)), ports


def test_kcat_sends_and_reads_as_documented(host, drained):
    """docs/contracts.md's two calls, under this VM's names. Last, as they add an image; Debian 12's kcat is too old for Kafka 4's logins."""
    project, scenario = (Path(os.environ[f"MOLECULE_{name}_DIRECTORY"]) for name in ("PROJECT", "EPHEMERAL"))
    send, read, *_ = re.findall(r"```sh\n(.*?)```", (project / "docs/contracts.md").read_text(), re.DOTALL)
    host.check_output("DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends kcat")
    host.check_output("umask 077; printf %%s %s > /run/secrets.yml", (scenario / "inventory/secrets/secrets.yml").read_text())
    address = host.check_output("sed -n 's/.*CLIENT:..\\([0-9.]*\\):9093.*/\\1/p' /etc/quartet/kafka/server.properties | head -n 1")

    def call(text):
        for documented, here in {
            "10.77.0.13": address,
            "inventory/lab/secrets/secrets.yml": "/run/secrets.yml",
            "inventory/lab/secrets/ca.crt": "/etc/quartet/pki/ca.crt",
            "-t images": "-t frames",
            "-e inferences": "-e labels",
        }.items():
            text = text.replace(documented, here)
        return host.run(text)

    sent = call(send)
    assert sent.rc == 0, sent.stderr
    deadline = time.monotonic() + 60
    while '"7002-mine-000000000000"' not in (seen := call(read)).stdout:
        assert seen.rc == 0, seen.stderr
        assert time.monotonic() < deadline, seen.stdout[-500:] + seen.stderr
        time.sleep(2)
    assert "uthoriz" not in seen.stderr, seen.stderr
