"""The leader epochs of the records that were read, for commits.

A commit that carries the epoch of its last record lets the broker say later that its log has been cut off before that record (KIP-320):
after a power loss a log may be shorter than what was read of it, and hold other records from there on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kafka import TopicPartition

#: What Kafka writes where no epoch is known; such a commit is not checked
UNKNOWN = -1


class ReadRecord(Protocol):
    """The fields of kafka-python's ConsumerRecord that are needed here."""

    offset: int
    leader_epoch: int


class LeaderEpochs:
    """For each partition the offsets at which a new epoch began, in the order of the log."""

    def __init__(self) -> None:
        self._begins: dict[TopicPartition, list[tuple[int, int]]] = {}

    def saw(self, partition: TopicPartition, records: Sequence[ReadRecord]) -> None:
        """Remember the epochs of records that were read, at least one, in the order of the log. They may be read again after a rewind."""
        begins = self._begins.setdefault(partition, [])
        while begins and begins[-1][0] >= records[0].offset:
            begins.pop()
        # within a partition epochs only grow
        for record in records if records[0].leader_epoch != records[-1].leader_epoch else records[:1]:
            if not begins or begins[-1][1] != record.leader_epoch:
                begins.append((record.offset, record.leader_epoch))

    def before(self, partition: TopicPartition, offset: int) -> int:
        """Return the epoch of the last record before an offset."""
        return next((epoch for begin, epoch in reversed(self._begins.get(partition, [])) if begin < offset), UNKNOWN)
