"""A consumed record and its partition, as every consumer sees them, independent of the Kafka client."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Record(Protocol):
    """The fields of a record that consumers use (kafka-python's ConsumerRecord). `timestamp`: ms since the epoch, the broker's clock."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
