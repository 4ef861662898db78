"""The epoch that a commit carries is that of the last record before its offset."""

from __future__ import annotations

from dataclasses import dataclass

from kafka import TopicPartition
from quartet.kafka.leader_epochs import UNKNOWN, LeaderEpochs

ONE, OTHER = TopicPartition("images", 0), TopicPartition("images", 1)


@dataclass
class Read:
    offset: int
    leader_epoch: int


def read(first: int, *epochs: int) -> list[Read]:
    return [Read(first + number, epoch) for number, epoch in enumerate(epochs)]


def test_the_epoch_is_that_of_the_record_before() -> None:
    epochs = LeaderEpochs()
    epochs.saw(ONE, read(10, 3, 3, 4, 4))
    epochs.saw(ONE, read(14, 4, 6))
    assert [epochs.before(ONE, offset) for offset in range(10, 18)] == [UNKNOWN, 3, 3, 4, 4, 4, 6, 6]
    assert epochs.before(OTHER, 12) == UNKNOWN


def test_what_is_read_again_after_a_rewind_counts_anew() -> None:
    """Also where the log was cut, and other records follow in a later epoch."""
    epochs = LeaderEpochs()
    epochs.saw(ONE, read(10, 3, 3, 4, 4))
    epochs.saw(ONE, read(11, 3, 7, 7))
    assert [epochs.before(ONE, offset) for offset in (11, 12, 13, 14)] == [3, 3, 7, 7]
