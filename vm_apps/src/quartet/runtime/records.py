"""A consumed record and its place, as every consumer sees them, whatever client read them."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Record(Protocol):
    """What a consumer needs of a record (kafka-python's ConsumerRecord). `timestamp`: ms, the broker's clock."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
