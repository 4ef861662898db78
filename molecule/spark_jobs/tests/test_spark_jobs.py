"""Both jobs count the wrong inferences of each producer exactly: a third of the records is doubled, and the stream is killed in between."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import yaml

SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets" / "secrets.yml"
AUDITOR = "/etc/quartet/spark_jobs/auditor.json"
RESULTS = "/var/lib/quartet-spark/results"
STREAM = "quartet-spark-stream.service"
# Sends inferences as the inference consumer does: producer 1 is wrong every 10th time, producer 2 every 2nd; every third is sent twice.
SEND = """
import json, sys
from kafka import KafkaProducer
order = json.load(sys.stdin)
producer = KafkaProducer(bootstrap_servers="10.77.0.113:9093", security_protocol="SASL_SSL", ssl_cafile="/etc/quartet/pki/ca.crt",
                         sasl_mechanism="SCRAM-SHA-512", sasl_plain_username="inference", sasl_plain_password=order["password"], linger_ms=5)
for sequence in range(order["first"], order["end"]):
    for number, every in ((1, 10), (2, 2)):
        name = f"{number}-spark-{sequence:012d}"
        body = {"schema": "inference/1", "id": name, "run": "spark", "sequence": sequence, "producer_id": number, "actual_value": "cat",
                "image_prediction": "dog" if sequence % every == 0 else "cat", "confidence": 0.9, "model": order["model"],
                "captured_at": 1, "inferred_at": 2}
        for _ in range(2 if sequence % 3 == 0 else 1):
            producer.send("inferences", key=name.encode(), value=json.dumps(body).encode())
producer.send("inferences", key=b"x", value=b"poison")
producer.flush(30)
"""
COUNT = """
import json, pathlib, pymongo
settings = json.load(open("/etc/quartet/spark_jobs/auditor.json"))
client = pymongo.MongoClient(settings["mongodb"]["hosts"], username="auditor", tls=True, tlsCAFile=settings["mongodb"]["ca_file"],
                             password=pathlib.Path("/etc/quartet/secrets/auditor/mongodb-password").read_text().strip())
counts = lambda name: {str(row["producer_id"]): [row["incorrect_count"], row["total_count"]] for row in client["team5_vm3_db"][name].find()}
print(json.dumps({"stream": counts("incorrect_inference_stream_results"), "batch": counts("incorrect_inference_results"),
                  "stored": client["team5_vm3_db"]["images"].count_documents({})}))
"""


@pytest.fixture(scope="module")
def send(host):
    password = yaml.safe_load(SECRETS.read_text())["secrets_values"]["kafka_inference_password"]
    model = json.loads(host.file(AUDITOR).content_string)["model"]

    def send(first, end):
        order = json.dumps({"password": password, "model": model, "first": first, "end": end})
        host.check_output(f"printf %s '{order}' | /opt/quartet/db_consumer/current/bin/python -c '{SEND}'")

    return send


def count(host):
    return json.loads(host.check_output(f"/opt/quartet/db_consumer/current/bin/python -c '{COUNT}'"))


def eventually(host, wanted, kind="stream"):
    for _ in range(60):
        found = count(host)
        if found[kind] == wanted:
            return found
        time.sleep(2)
    raise AssertionError((found, host.check_output("journalctl --no-pager -n 60 -u %s", STREAM)))


def test_the_stream_counts_exactly_over_duplicates_and_a_kill(host, send):
    assert host.service(STREAM).is_running, host.check_output("journalctl --no-pager -n 60 -u %s", STREAM)
    send(0, 300)
    eventually(host, {"1": [30, 300], "2": [150, 300]})
    host.check_output("systemctl kill --signal=KILL %s", STREAM)
    send(200, 400)
    eventually(host, {"1": [40, 400], "2": [200, 400]})


def test_the_watchdog_waits_longer_only_for_the_start(host):
    host.check_output("systemctl restart %s", STREAM)
    watchdog = f"systemctl show --value --property=WatchdogUSec {STREAM}"
    assert host.check_output(watchdog) == "15min"
    for _ in range(90):
        if host.check_output(watchdog) == "3min":
            break
        time.sleep(2)
    assert host.check_output(f"systemctl show --value --property=StatusText {STREAM}").startswith("batch ")
    assert host.check_output(watchdog) == "3min"


def test_the_batch_agrees_and_leaves_a_table_and_a_chart(host):
    for _ in range(60):
        if count(host)["stored"] == 800:
            break
        time.sleep(2)
    # one that the timer began before may not have seen everything
    started = host.run(
        "while systemctl is-active quartet-spark-batch.service | grep -q activating; do sleep 1; done; "
        "systemctl start quartet-spark-batch.service"
    )
    assert started.rc == 0, host.check_output("journalctl --no-pager -n 60 -u quartet-spark-batch.service")
    assert count(host)["batch"] == {"1": [40, 400], "2": [200, 400]}
    table = host.file(f"{RESULTS}/incorrect_inference_results.csv").content_string.splitlines()
    assert len(table) == 3, table
    assert host.file(f"{RESULTS}/incorrect_inference_results.png").content[:4] == b"\x89PNG"


def test_the_batch_runs_by_itself(host):
    assert host.service("quartet-spark-batch.timer").is_running
    assert host.service("quartet-spark-batch.timer").is_enabled


def test_no_password_shows(host):
    values = yaml.safe_load(SECRETS.read_text())["secrets_values"]
    places = {
        "processes": host.check_output("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n'"),
        "journal": host.check_output("journalctl --no-pager -o cat"),
    }
    for name in ("kafka_spark_password", "mongodb_spark_password", "spark_auth_secret"):
        assert [place for place, text in places.items() if values[name] in text] == [], name


@pytest.mark.parametrize("unit", ["quartet-spark-stream", "quartet-spark-batch"])
def test_the_unit_is_hardened(host, unit):
    result = host.run("systemd-analyze security --offline=true --threshold=15 /etc/systemd/system/%s.service", unit)
    assert result.rc == 0, result.stdout[-400:]
