"""The inference consumer classifies every image, publishes to the image's partition, and refuses an altered model."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import yaml

SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets" / "secrets.yml"
UNIT = "quartet-inference.service"
CLIENT = """
import json, sys
from kafka import KafkaConsumer
order = json.load(sys.stdin)
reader = KafkaConsumer("images", "inferences", bootstrap_servers="10.77.0.112:9093", security_protocol="SASL_SSL", ssl_cafile="/etc/quartet/pki/ca.crt",
                       sasl_mechanism="SCRAM-SHA-512", sasl_plain_username="auditor", sasl_plain_password=order["auditor"],
                       auto_offset_reset="earliest", group_id=None, consumer_timeout_ms=4000)
places, inferences = {}, []
for record in reader:
    places.setdefault(record.key.decode(), {})[record.topic] = record.partition
    if record.topic == "inferences":
        inferences.append(json.loads(record.value))
print(json.dumps({"places": list(places.values()), "inferences": inferences}))
"""


@pytest.fixture(scope="module")
def topics(host):
    values = yaml.safe_load(SECRETS.read_text())["secrets_values"]
    order = json.dumps({"auditor": values["kafka_auditor_password"]})
    for _ in range(60):
        found = json.loads(host.check_output(f"printf %s '{order}' | /opt/quartet/inference/current/bin/python -c '{CLIENT}'"))
        if len({row["id"] for row in found["inferences"]}) == 500:
            return found
        time.sleep(2)
    raise AssertionError(len(found["inferences"]))


def test_the_unit_runs(host):
    assert host.service(UNIT).is_running, host.check_output("journalctl --no-pager -n 60 -u %s", UNIT)
    assert host.service(UNIT).is_enabled


def test_every_image_has_an_inference_in_its_own_partition(topics):
    assert len(topics["places"]) == 500
    assert all(place["images"] == place["inferences"] for place in topics["places"])


def test_the_clean_camera_is_classified_well_and_the_failing_one_is_not(topics):
    right = {101: [], 102: []}
    for row in topics["inferences"]:
        right[row["producer_id"]].append(row["image_prediction"] == row["actual_value"])
    assert sum(right[101]) / len(right[101]) > 0.95
    assert sum(right[102]) / len(right[102]) < 0.6


def test_the_unit_is_hardened(host):
    result = host.run("systemd-analyze security --offline=true --threshold=15 /etc/systemd/system/quartet-inference.service")
    assert result.rc == 0, result.stdout[-400:]


def test_an_altered_model_is_refused_by_name(host):
    model = host.check_output("echo /var/lib/quartet/models/*.safetensors")
    host.check_output(f"cp {model} /run/model.kept && printf x | dd of={model} bs=1 seek=5000000 conv=notrunc status=none")
    try:
        host.run("systemctl restart %s", UNIT)
        time.sleep(10)
        journal = host.check_output("journalctl --no-pager -n 40 -u %s", UNIT)
        assert "sha256" in journal
        assert "status=66" in journal
    finally:
        host.check_output(f"cp /run/model.kept {model} && systemctl restart {UNIT}")
