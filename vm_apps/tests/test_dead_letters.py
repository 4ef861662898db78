"""The dead-letter topic is read to its end, whatever lies in it."""

from __future__ import annotations

from typing import Any

from kafka import TopicPartition
from memory_broker import MemoryRecord
from quartet import contracts, dead_letters
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
