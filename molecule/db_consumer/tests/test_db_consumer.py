"""The DB consumers store every image once, with its bytes; a kill changes nothing; poison is set aside."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import yaml

SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets" / "secrets.yml"
PYTHON = "/opt/quartet/db_consumer/current/bin/python"
UNITS = ["quartet-db-consumer@images.service", "quartet-db-consumer@inferences.service"]
# Asks the servers as the auditor, and sends poison as the producer.
CLIENT = """
import hashlib, json, sys, pymongo
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
order = json.load(sys.stdin)
tls = dict(bootstrap_servers="10.77.0.111:9093", security_protocol="SASL_SSL", ssl_cafile="/etc/quartet/pki/ca.crt", sasl_mechanism="SCRAM-SHA-512")
client = pymongo.MongoClient("10.77.0.111", tls=True, tlsCAFile="/etc/quartet/pki/ca.crt", username="auditor", password=order["mongodb"])
images = client["kafka_db"]["image"]
if order["poison"]:
    producer = KafkaProducer(**tls, sasl_plain_username="producer", sasl_plain_password=order["producer"])
    producer.send("images", key=b"poison", value=b"too short", headers=[("schema", b"image/1")]).get(10)
if order["again"]:
    producer = KafkaProducer(**tls, sasl_plain_username="producer", sasl_plain_password=order["producer"])
    row = images.find_one(sort=[("_id", 1)])
    headers = [("schema", b"image/1")] + [(name, str(row[name]).encode()) for name in ("producer_id", "run", "sequence", "captured_at", "actual_value")]
    for payload in (row["image"], bytes(3072)):
        producer.send("images", key=row["_id"].encode(), value=payload, headers=headers).get(10)
reader = KafkaConsumer(**tls, sasl_plain_username="auditor", sasl_plain_password=order["auditor"], auto_offset_reset="earliest", consumer_timeout_ms=3000)
reader.assign([TopicPartition("dead-letters", number) for number in range(3)])
print(json.dumps({
    "images": images.count_documents({}),
    "right": sum(hashlib.sha256(row["image"]).hexdigest() == row["payload_sha256"] and len(row["image"]) == 3072 for row in images.find()),
    "dead letters": [letter["cause"] for letter in sorted((json.loads(record.value) for record in reader), key=lambda letter: letter["refused_at"])],
}))
"""


@pytest.fixture(scope="module")
def ask(host):
    values = yaml.safe_load(SECRETS.read_text())["secrets_values"]

    def ask(*, poison=False, again=False):
        order = {
            "mongodb": values["mongodb_auditor_password"],
            "producer": values["kafka_producer_password"],
            "auditor": values["kafka_auditor_password"],
            "poison": poison,
            "again": again,
        }
        return json.loads(host.check_output(f"printf %s '{json.dumps(order)}' | {PYTHON} -c '{CLIENT}'"))

    return ask


def eventually(ask, **wanted):
    for _ in range(30):
        found = ask()
        if all(found[name] == value for name, value in wanted.items()):
            return found
        time.sleep(2)
    raise AssertionError(found)


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_runs(host, unit):
    assert host.service(unit).is_running, host.check_output("journalctl --no-pager -n 60 -u %s", unit)
    assert host.service(unit).is_enabled


def test_every_image_is_stored_with_its_bytes(ask):
    eventually(ask, images=500, right=500, **{"dead letters": []})


def test_a_kill_loses_nothing_and_doubles_nothing(ask, host):
    host.check_output("systemctl kill --signal=KILL %s", UNITS[0])
    time.sleep(8)
    assert host.service(UNITS[0]).is_running
    eventually(ask, images=500, right=500)


def test_poison_is_set_aside_with_its_cause(ask):
    ask(poison=True)
    eventually(ask, images=500, **{"dead letters": ["wrong-length"]})


def test_an_image_that_comes_again_changes_nothing_and_another_one_under_its_id_is_set_aside(ask):
    ask(again=True)
    eventually(ask, images=500, right=500, **{"dead letters": ["wrong-length", "id-conflict"]})


def test_the_unit_is_hardened(host):
    result = host.run("systemd-analyze security --offline=true --threshold=15 /etc/systemd/system/quartet-db-consumer@.service")
    assert result.rc == 0, result.stdout[-400:]
