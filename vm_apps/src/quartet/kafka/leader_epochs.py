"""The leader epochs of the records that were read.

With the epoch of a record a broker says whether its log still holds that record (KIP-320): after a power loss a log may have been shorter than
what was read of it, and hold other records from there on, of a later epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kafka import TopicPartition

#: What Kafka writes where no epoch is known; it cannot be compared
UNKNOWN = -1


class ReadRecord(Protocol):
    """The fields of kafka-python's ConsumerRecord that are needed here."""

    offset: int
    leader_epoch: int


class ReadTo(NamedTuple):
    """An end of what was read: the offset after a record, and the record's epoch."""

    offset: int
    epoch: int


@dataclass
class _Run:
    """Records of one epoch that were read one after the other."""

    first: int
    last: int
    epoch: int


class LeaderEpochs:
    """For each partition the runs of records of one epoch, in the order of the log."""

    def __init__(self) -> None:
        self._runs: dict[TopicPartition, list[_Run]] = {}

    def starts(self, partition: TopicPartition, read_to: ReadTo) -> None:
        """Begin anew behind a record."""
        offset, epoch = read_to
        self._runs[partition] = [] if epoch == UNKNOWN else [_Run(offset - 1, offset - 1, epoch)]

    def saw(self, partition: TopicPartition, records: Sequence[ReadRecord]) -> list[ReadTo]:
        """Remember records that were read, at least one, in the order of the log; return where they, or those before them, change their epoch."""
        runs = self._rewound(partition, records[0].offset)
        changes = []
        for record in records if records[0].leader_epoch != records[-1].leader_epoch else (records[0], records[-1]):
            if runs and runs[-1].epoch == record.leader_epoch:
                runs[-1].last = record.offset
            else:
                if runs:
                    changes.append(ReadTo(runs[-1].last + 1, runs[-1].epoch))
                runs.append(_Run(record.offset, record.offset, record.leader_epoch))
        return changes

    def rewound(self, partition: TopicPartition, offset: int) -> None:
        """Forget the records from an offset on, which will be read again."""
        self._rewound(partition, offset)

    def before(self, partition: TopicPartition, offset: int) -> int:
        """Return the epoch of the last record before an offset."""
        return next((run.epoch for run in reversed(self._runs.get(partition, [])) if run.first < offset), UNKNOWN)

    def partitions(self) -> list[TopicPartition]:
        """Return the partitions of which something was read."""
        return sorted(partition for partition, runs in self._runs.items() if runs)

    def read_to(self, partition: TopicPartition) -> ReadTo | None:
        """Return the end of what was read; None if nothing was."""
        runs = self._runs.get(partition)
        return ReadTo(runs[-1].last + 1, runs[-1].epoch) if runs else None

    def _rewound(self, partition: TopicPartition, offset: int) -> list[_Run]:
        runs = self._runs.setdefault(partition, [])
        while runs and runs[-1].first >= offset:
            runs.pop()
        if runs:
            runs[-1].last = min(runs[-1].last, offset - 1)
        return runs
