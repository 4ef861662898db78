"""A log that lost its end, as a power loss takes it where appends are not flushed: the consumer stops, names it, and goes on when told to.

Also where other records have followed there, beyond what was read, before the consumer starts.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import yaml

SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets" / "secrets.yml"
UNIT = "quartet-db-consumer@images.service"
# Cuts the last batch of a log, while the broker is down.
# A batch begins with its first offset and, after 8 bytes, its length (https://kafka.apache.org/documentation/#recordbatch).
CUT = """
import pathlib, struct, sys
log = pathlib.Path(sys.argv[1])
content, begins, at = log.read_bytes(), [], 0
while at < len(content) and (length := struct.unpack_from(">i", content, at + 8)[0]):
    begins.append(at)
    at += 12 + length
with log.open("r+b") as file:
    file.truncate(begins[-1])
for pattern in ("*.index", "*.timeindex", "*.snapshot"):
    for file in log.parent.glob(pattern):
        file.unlink()
"""
# Appends three records to a partition, each a batch. They are no images: the consumer refuses them, which is reading too.
APPEND = """
import json, sys
from kafka import KafkaProducer
order = json.load(sys.stdin)
producer = KafkaProducer(
    bootstrap_servers="10.77.0.111:9093", security_protocol="SASL_SSL", ssl_cafile="/etc/quartet/pki/ca.crt",
    sasl_mechanism="SCRAM-SHA-512", sasl_plain_username="producer", sasl_plain_password=order["password"],
    bootstrap_timeout_ms=120_000,  # the broker has just been started
)
for _ in range(3):
    print(producer.send("images", value=b"too short", partition=order["partition"]).get(30).offset)
"""


@pytest.fixture(scope="module")
def log(host):
    """The log of the partition of images with most records."""
    return host.check_output("ls -S /var/lib/kafka/data/images-*/*.log | head -n 1")


@pytest.fixture(scope="module")
def partition(log):
    return Path(log).parent.name.replace("-", "/")


def now(host):
    return host.check_output("date +%s")


def lines(host, since):
    return host.check_output(f"journalctl --no-pager --output=cat --unit={UNIT} --since=@{since}")


def seen(host, since, words):
    """Wait until the unit's journal has these words."""
    for _ in range(90):
        if words in (found := lines(host, since)):
            return found
        time.sleep(2)
    raise AssertionError(f"not in the journal: {words}\n{found}")


def cut(host, log):
    """Stop the consumer, kill the broker, cut the log, and start the broker."""
    host.check_output(f"systemctl stop {UNIT}; systemctl kill --signal=KILL kafka.service; systemctl stop kafka.service")
    host.check_output(f"python3 - {log} << 'END'\n{CUT}\nEND")
    host.check_output("systemctl start kafka.service")


def append(host, partition):
    """Append three records, and return the last one's offset."""
    password = yaml.safe_load(SECRETS.read_text())["secrets_values"]["kafka_producer_password"]
    order = json.dumps({"password": password, "partition": int(partition.partition("/")[2])})
    return int(host.check_output(f"printf %s '{order}' | /opt/quartet/db_consumer/current/bin/python -c '{APPEND}'").split()[-1])


def stops_again(host, since):
    """Whether the consumer, which systemd has started again, has stopped again."""
    time.sleep(8)
    return lines(host, since).count("has lost the end of its log") > 1 or not host.service(UNIT).is_running


def accept(host):
    since = now(host)
    host.check_output(
        f"systemctl set-environment QUARTET_ACCEPT_LOSS=--accept-loss && systemctl restart {UNIT}; systemctl unset-environment QUARTET_ACCEPT_LOSS"
    )
    seen(host, since, "accepted loss")
    time.sleep(5)


def runs_on(host):
    """Whether the consumer runs on after one more start, without a word of a loss."""
    since = now(host)
    host.check_output(f"systemctl restart {UNIT}")
    time.sleep(10)
    return host.service(UNIT).is_running and "has lost the end" not in lines(host, since)


def test_the_consumer_stops_and_names_it(host, log, partition):
    since = now(host)
    cut(host, log)
    host.check_output(f"systemctl start --no-block {UNIT}")
    found = seen(host, since, f"{partition}: the broker has lost the end of its log")
    assert "is gone, and the log ends at offset" in found
    assert "Nothing was skipped" in found
    assert stops_again(host, since)


def test_it_goes_on_when_the_loss_is_accepted(host):
    accept(host)
    assert runs_on(host)


def test_the_consumer_stops_too_where_other_records_have_followed(host, log, partition):
    """They reach beyond what was read: by offsets alone nothing is missing."""
    last = append(host, partition)
    for _ in range(30):
        if "; 0 left to read" in host.check_output(f"systemctl show -P StatusText {UNIT}"):
            break
        time.sleep(2)
    time.sleep(6)
    since = now(host)
    cut(host, log)
    assert append(host, partition) == last + 2
    host.check_output(f"systemctl start --no-block {UNIT}")
    found = seen(host, since, f"{partition}: the broker has lost the end of its log")
    assert (
        f"what was read at offsets {last} to {last} is gone, and other records, of which none was read, are at offsets {last} to {last + 2} now"
        in found
    )
    assert stops_again(host, since)


def test_it_reads_them_when_the_loss_is_accepted(host):
    accept(host)
    assert runs_on(host)
    assert "; 0 left to read" in host.check_output(f"systemctl show -P StatusText {UNIT}")
