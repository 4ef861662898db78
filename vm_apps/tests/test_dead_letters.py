"""The dead-letter topic is read to its end, whatever lies in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka import TopicPartition
from kafka.record import MemoryRecordsBuilder
from memory_broker import MemoryRecord
from quartet import contracts, dead_letters, kafka_records
from quartet.contracts import Cause, ContractError, DeadLetter

LETTER = DeadLetter("images", 3, 17, b"k", b"v", (("na\udcffme", b"1"),), Cause.BAD_HEADER, "why", 1)


class Reader:
    """A consumer of one partition that holds these records."""

    def __init__(self, *contents: tuple[bytes | None, bytes | None]) -> None:
        self._records = [MemoryRecord("dead-letters", 0, at, key, value, []) for at, (key, value) in enumerate(contents)]
        self._position = 0

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0}

    def assign(self, _partitions: Any) -> None: ...

    def seek_to_beginning(self, *_partitions: Any) -> None: ...

    def end_offsets(self, partitions: list[TopicPartition], *, timeout_ms: int) -> dict[TopicPartition, int]:
        return {partitions[0]: len(self._records)}

    def position(self, _partition: TopicPartition, *, timeout_ms: int) -> int:
        return self._position

    def poll(self, *, timeout_ms: int) -> dict[TopicPartition, list[MemoryRecord]]:
        self._position += 1
        return {TopicPartition("dead-letters", 0): [self._records[self._position - 1]]}


def test_what_is_no_dead_letter_is_named_and_the_rest_is_read() -> None:
    good = contracts.encode_dead_letter(LETTER)
    found = list(dead_letters.read(Reader((b"images/0/1", b"[" * 100), (None, None), good, good), "dead-letters"))
    assert [name for name, _ in found] == ["images/0/1", "(no key)", "images/3/17"]
    assert [type(letter) for _, letter in found] == [ContractError, ContractError, DeadLetter]
    assert found[2][1] == LETTER


def test_what_is_printed_does_not_steer_the_terminal() -> None:
    shown = dead_letters._printable("a\x1b[2J\ud800\nb é")
    assert shown == "a\\x1b[2J\\xd800\\x0ab é"
    shown.encode()


TOPICS = {
    row["name"]: int(row["config"].split("'max.message.bytes': '")[1].split("'")[0])
    for row in yaml.safe_load((Path(__file__).parents[2] / "playbooks/group_vars/quartet.yml").read_text())["kafka_topics"]
}
LARGEST_REFUSED = TOPICS["{{ quartet_image_topic }}"]
LARGEST_LETTER = TOPICS["{{ quartet_dead_letter_topic }}"]


def batch_bytes(key: bytes | None, value: bytes | None, headers: list[tuple[Any, Any]]) -> int:
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1)
    builder.append(timestamp=2**40, key=key, value=value, headers=headers)
    return int(builder.size_in_bytes())


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (bytes(LARGEST_REFUSED - 120), []),
        (None, [("x", bytes(LARGEST_REFUSED - 120))]),
        (None, [(kafka_records.header_name(b"\xff" * (LARGEST_REFUSED - 120)), None)]),
        (None, [("\x01" * (LARGEST_REFUSED - 120), None)]),
        (None, [("", None)] * ((LARGEST_REFUSED - 120) // 2)),
        (None, [(kafka_records.header_name(b"\xff"), None)] * ((LARGEST_REFUSED - 120) // 3)),
    ],
    ids=["a value", "a header", "a name that is not UTF-8", "a name of control characters", "empty headers", "short names"],
)
def test_the_largest_record_that_can_be_refused_fits_into_the_dead_letter_topic(
    value: bytes | None, headers: list[tuple[Any, Any]]
) -> None:
    assert LARGEST_REFUSED - 200 < batch_bytes(b"k", value, headers) <= LARGEST_REFUSED
    letter = DeadLetter("t" * 249, 11, 2**63 - 1, b"k", value, tuple(headers), Cause.BAD_HEADER, "\U0001f600" * 5000, 2**63 - 1)
    key, body = contracts.encode_dead_letter(letter)
    assert batch_bytes(key, body, []) <= min(LARGEST_LETTER, contracts.LARGEST_DEAD_LETTER)
    assert contracts.decode_dead_letter(body).headers == tuple(headers)
