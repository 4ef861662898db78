"""Role producer: everything is sent once, stays finished, and the ledger says what was sent. First, because other tests send more."""

from __future__ import annotations

import json
import time

import pytest

COUNTS = {101: 300, 102: 200}
LEDGER = "/opt/quartet/producer/current/bin/quartet ledger export --state-directory=/var/lib/quartet-producer"


def unit(number):
    return f"quartet-producer@{number}.service"


@pytest.mark.parametrize("number", COUNTS)
def test_a_finite_producer_ends_well_and_stays_so(host, number):
    for _ in range(60):
        if host.check_output("systemctl show -P ActiveState %s", unit(number)) == "inactive":
            break
        time.sleep(1)
    assert host.check_output("systemctl show -P Result %s", unit(number)) == "success", host.check_output(
        "journalctl --no-pager -n 60 -u %s", unit(number)
    )
    assert host.service(unit(number)).is_enabled
    host.check_output("systemctl start %s", unit(number))
    time.sleep(3)
    assert host.check_output("systemctl show -P ActiveState %s", unit(number)) == "inactive"


def test_the_ledgers_say_that_everything_was_acknowledged(host):
    ledgers = {row["producer_id"]: row for row in json.loads(host.check_output(LEDGER))}
    assert {number: row["acknowledged"] for number, row in ledgers.items()} == {number: [[0, count]] for number, count in COUNTS.items()}
    assert {row["run"] for row in ledgers.values()} == {"first"}


def test_kafka_has_each_image_once(host):
    command = "/opt/quartet/kafka*/bin/kafka-get-offsets.sh --bootstrap-server 10.77.0.111:9092 --topic images --command-config "
    config = "\n".join(
        [
            "security.protocol=SSL",
            "ssl.keystore.type=PEM",
            "ssl.keystore.location=/etc/quartet/pki/kafka-admin.pem",
            "ssl.truststore.type=PEM",
            "ssl.truststore.location=/etc/quartet/pki/ca.crt",
        ]
    )
    host.check_output("printf %%s %s > /run/admin.properties", config)
    ends = host.check_output(command + "/run/admin.properties").splitlines()
    assert sum(int(line.rsplit(":", 1)[1]) for line in ends if line.startswith("images:")) == sum(COUNTS.values())


def test_the_unit_is_hardened(host):
    result = host.run("systemd-analyze security --offline=true --threshold=15 /etc/systemd/system/quartet-producer@.service")
    assert result.rc == 0, result.stdout[-400:]
