"""A log that lost its end, as a power loss takes it where appends are not flushed: the consumer stops, names it, and goes on when told to."""

from __future__ import annotations

import time

UNIT = "quartet-db-consumer@images.service"
# Cuts the last batch of the partition of images with most records, while the broker is down; prints the partition.
# A batch begins with its first offset and, after 8 bytes, its length (https://kafka.apache.org/documentation/#recordbatch).
CUT = """
import pathlib, struct
log = max(pathlib.Path("/var/lib/kafka/data").glob("images-*/*.log"), key=lambda file: file.stat().st_size)
content, begins, at = log.read_bytes(), [], 0
while at < len(content) and (length := struct.unpack_from(">i", content, at + 8)[0]):
    begins.append(at)
    at += 12 + length
with log.open("r+b") as file:
    file.truncate(begins[-1])
for pattern in ("*.index", "*.timeindex", "*.snapshot"):
    for file in log.parent.glob(pattern):
        file.unlink()
print(log.parent.name)
"""


def lines(host, since):
    return host.check_output(f"journalctl --no-pager --output=cat --unit={UNIT} --since=@{since}")


def seen(host, since, words):
    """Wait until the unit's journal has these words."""
    for _ in range(90):
        if words in (found := lines(host, since)):
            return found
        time.sleep(2)
    raise AssertionError(f"not in the journal: {words}\n{found}")


def test_the_consumer_stops_and_names_it(host):
    since = host.check_output("date +%s")
    host.check_output(f"systemctl stop {UNIT}; systemctl kill --signal=KILL kafka.service; systemctl stop kafka.service")
    partition = host.check_output(f"python3 - << 'END'\n{CUT}\nEND").replace("-", "/")
    host.check_output("systemctl start kafka.service")
    host.check_output(f"systemctl start --no-block {UNIT}")
    found = seen(host, since, f"{partition}: the log ends at offset")
    assert "Nothing was skipped" in found
    # restarted, it stops again
    time.sleep(8)
    assert lines(host, since).count("has lost the end of its log") > 1 or not host.service(UNIT).is_running


def test_it_goes_on_when_the_loss_is_accepted(host):
    since = host.check_output("date +%s")
    host.check_output(
        f"systemctl set-environment QUARTET_ACCEPT_LOSS=--accept-loss && systemctl restart {UNIT}; systemctl unset-environment QUARTET_ACCEPT_LOSS"
    )
    seen(host, since, "accepted loss")
    time.sleep(5)
    host.check_output(f"systemctl restart {UNIT}")
    time.sleep(10)
    assert host.service(UNIT).is_running
    assert "has lost the end" not in lines(
        host, host.check_output(f"systemctl show -P ActiveEnterTimestamp --timestamp=unix {UNIT}").lstrip("@")
    )
