"""What is remembered of the epochs: that of the last record before an offset, and where they change."""

from __future__ import annotations

from dataclasses import dataclass

from kafka import TopicPartition
from quartet.kafka.leader_epochs import UNKNOWN, LeaderEpochs, ReadTo

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
    epochs.rewound(ONE, 12)
    assert epochs.read_to(ONE) == (12, 3)
    epochs.rewound(ONE, 10)
    assert epochs.read_to(ONE) is None


def test_each_change_of_the_epoch_is_returned_with_the_end_of_what_was_read_before_it() -> None:
    epochs = LeaderEpochs()
    assert epochs.saw(ONE, read(10, 3, 3)) == []
    assert epochs.saw(ONE, read(12, 3, 4, 4, 6)) == [(13, 3), (15, 4)]
    # a transaction's mark, which is no record, lies between
    assert epochs.saw(ONE, read(17, 7)) == [(16, 6)]
    assert epochs.saw(ONE, read(18, 1)) == [(18, 7)], "a topic that was created anew"
    epochs.rewound(ONE, 17)
    assert epochs.saw(ONE, read(17, 7)) == [(16, 6)], "asked again"


def test_a_commit_is_where_reading_starts() -> None:
    epochs = LeaderEpochs()
    epochs.starts(ONE, ReadTo(20, 3))
    assert (epochs.read_to(ONE), epochs.before(ONE, 20)) == ((20, 3), 3)
    assert epochs.saw(ONE, read(20, 3)) == []
    epochs.starts(ONE, ReadTo(20, 3))
    assert epochs.saw(ONE, read(20, 5)) == [(20, 3)]
    epochs.starts(ONE, ReadTo(20, UNKNOWN))
    assert epochs.read_to(ONE) is None
    assert epochs.saw(ONE, read(20, 5)) == []
