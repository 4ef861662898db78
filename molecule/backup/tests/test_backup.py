"""The units back up and drill under their confinement; a damaged backup fails the drill, is named, and the time of the last success stays."""

from __future__ import annotations

import json

import pytest

BACKUPS = "/var/lib/quartet-backup/backups"
DRILLED = "/var/lib/quartet-metrics/backup/quartet_restore_drill.prom"


def start(host, unit):
    """Start a unit that does one thing; return its exit status and what it said."""
    result = host.run(f"systemctl start {unit}")
    said = host.check_output(f"journalctl --output=cat _SYSTEMD_INVOCATION_ID=$(systemctl show --property=InvocationID --value {unit})")
    return result.rc, said


@pytest.fixture(scope="module")
def backup(host):
    rc, said = start(host, "quartet-backup.service")
    assert rc == 0, said
    return host.check_output(f"ls {BACKUPS} | grep T.*Z | tail -1")


def test_the_timers_run(host):
    for name in ("quartet-backup.timer", "quartet-restore-drill.timer"):
        assert host.service(name).is_running
        assert host.service(name).is_enabled


def test_a_backup_has_a_manifest_and_no_password(host, backup):
    manifest = json.loads(host.check_output(f"cat {BACKUPS}/{backup}/manifest.json"))["manifest"]
    assert manifest["inventory_id"] == host.check_output("cat /etc/quartet/inventory-id")
    assert {c["name"] for c in manifest["collections"]} >= {"image", "images"}
    assert sum(manifest["committed"]["db-consumer-images"]["images"]) <= sum(
        c["count"] for c in manifest["collections"] if c["name"] == "image"
    )
    for file in ("kafka-password", "mongodb-password"):
        secret = host.check_output(f"cat /etc/quartet/secrets/backup/{file}")
        assert host.run(f"zgrep --quiet --fixed-strings -- {secret} $(find {BACKUPS}/{backup} -type f)").rc == 1


def test_nobody_else_reads_the_backups(host, backup):
    assert host.file("/var/lib/quartet-backup").mode == 0o700
    assert host.file(BACKUPS).mode == 0o700


def test_a_drill_passes_and_touches_nothing_live(host, backup):
    shown = "systemctl show --property=ActiveEnterTimestampMonotonic --value mongod kafka 'quartet-db-consumer@images'"
    before = host.check_output(shown)
    rc, said = start(host, "quartet-restore-drill.service")
    assert rc == 0, said
    assert "logged in: db_consumer, spark, auditor, console, backup, restore, exporter" in said
    assert host.check_output(shown) == before
    assert not host.file("/var/lib/quartet-backup/scratch").exists
    assert host.file(f"{BACKUPS}/{backup}/drill.json").exists


def test_a_flipped_byte_fails_the_drill_and_names_the_file(host, backup):
    last = host.check_output(f"cat {DRILLED}")
    file = f"{BACKUPS}/{backup}/kafka_db/image.bson.gz"
    host.check_output(f"""python3 -c 'f = open("{file}", "r+b"); f.seek(1000); b = f.read(1); f.seek(1000); f.write(bytes([b[0] ^ 1]))'""")
    rc, said = start(host, "quartet-restore-drill.service")
    assert rc != 0
    assert file in said
    assert host.check_output(f"cat {DRILLED}") == last
