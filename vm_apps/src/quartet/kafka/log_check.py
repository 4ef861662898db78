"""Compares what a group has read with what the log holds now: at each assignment, and while it reads.

After a power loss a log may have been shorter than what was read of it, and hold other records since; a topic may have been created anew under
the same name. Offsets alone do not show either: a consumer would go on behind records that it has never read. kafka-python 3.0.12 has a check by
epochs too, but it drops the epoch of a commit at the start, and that of its position with each answer that brings no record.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors
from kafka.structs import OffsetAndMetadata

from quartet.kafka import internals, log_losses
from quartet.kafka.client import CALL_MS
from quartet.kafka.commits import Note, Range, commit_of, note_of
from quartet.kafka.leader_epochs import UNKNOWN, LeaderEpochs, ReadRecord, ReadTo
from quartet.runtime.errors import CALL_SECONDS, ExitCode, QuartetError

log = logging.getLogger(__name__)


class LogCheck:
    """The positions of a consumer in the log of its topic, each with the epoch of the record before it, and the topic's id.

    Methods that ask the broker raise kafka-python's errors. Where the log has lost what was read they raise QuartetError (DATA_LOST), unless
    the loss is accepted; then they go on with what is there, and commit that.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str, *, accept_loss: bool) -> None:
        self._consumer = consumer
        self._topic = topic
        self._accept_loss = accept_loss
        self._epochs = LeaderEpochs()
        self._topic_id: str | None = None
        # what the log had lost before, and was accepted
        self._lost: dict[TopicPartition, list[Range]] = {}
        # the leaders' epochs under which the log was compared
        self._compared: dict[TopicPartition, int | None] = {}
        #: Assigned, but not yet compared with the log; paused until then
        self.unchecked: set[TopicPartition] = set()

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Read nothing of newly assigned partitions before `start_assigned`; asks nobody."""
        self.unchecked.update(partitions)
        self._consumer.pause(*partitions)

    def commit_of(self, partition: TopicPartition, offset: int) -> OffsetAndMetadata:
        """Return the commit of the next offset to read."""
        return commit_of(offset, self._epochs.before(partition, offset), Note(self._topic_id, self._lost.get(partition, [])))

    def rewind(self, partition: TopicPartition, offset: int) -> None:
        """Read again from an offset; asks nobody."""
        self._epochs.rewound(partition, offset)
        self._consumer.seek(partition, offset)

    def check(self, found: Mapping[TopicPartition, Sequence[ReadRecord]]) -> bool:
        """Return whether records follow what was read before them; if not, and the loss is accepted, they count for nothing.

        Within an epoch a log only grows. So the broker is asked where the records, or the leader of a partition, begin another epoch: which is
        after every restart of a broker.
        """
        changes = [(partition, read_to) for partition, records in found.items() for read_to in self._epochs.saw(partition, records)]
        leaders: dict[TopicPartition, int | None] = {}
        for partition in self._consumer.assignment() - self.unchecked:
            leader = internals.leader_epoch(self._consumer, partition)
            if leader not in (None, self._compared.get(partition)):
                if (read_to := self._epochs.read_to(partition)) is not None:
                    changes.append((partition, read_to))
                leaders[partition] = leader
        lost = self._cut(changes)
        self._compared.update(leaders)
        return not lost

    def topic_changed(self, discard: Callable[[], None]) -> bool:
        """Return whether the topic was created anew, which is a loss, since its records were last read; nothing that was read of it counts.

        `discard`: drops what was read and is not committed, because the new topic must not get a commit of the former one.
        """
        found = internals.topic_id(self._consumer, self._topic)
        if found is None or self._topic_id in (None, found):
            return False
        read = {partition: ends.offset for partition in self._epochs.partitions() if (ends := self._epochs.read_to(partition))}
        discard()
        self._follow_new_topic(found, dict.fromkeys(read, self._topic_id), read)
        return True

    def start_assigned(self, *, paused: bool) -> None:
        """Start the newly assigned partitions at their commits, if the log still holds what was read before them.

        kafka-python leaves a partition that stays through a rebalance where it was, which would be behind the batches that were discarded.
        """
        self.unchecked &= self._consumer.assignment()
        self._topic_id = self._topic_id or internals.topic_id(self._consumer, self._topic)
        if not self.unchecked or self._topic_id is None:
            return
        former: dict[TopicPartition, str | None] = {}
        read: dict[TopicPartition, int] = {}
        for partition in sorted(self.unchecked):
            self._compared[partition] = internals.leader_epoch(self._consumer, partition)
            commit = self._consumer.committed(partition, metadata=True, timeout_ms=CALL_MS)
            if commit is None:
                self._start_at_beginning(partition)
                continue
            self._seek(partition, commit)
            note = note_of(commit)
            self._lost[partition] = list(note.lost)
            if note.topic_id not in (None, self._topic_id):
                former[partition], read[partition] = note.topic_id, commit.offset
        if former:
            self._follow_new_topic(self._topic_id, former, read)
        self._cut([(one, read_to) for one in sorted(self.unchecked) if (read_to := self._epochs.read_to(one)) is not None])
        started, self.unchecked = self.unchecked, set()
        if not paused:
            self._consumer.resume(*started)

    def _start_at_beginning(self, partition: TopicPartition) -> None:
        offset = self._consumer.beginning_offsets([partition], timeout_ms=CALL_MS)[partition]
        log.info("%s: no commit yet, beginning at offset %d", log_losses.name(partition), offset)
        if offset:
            log.warning("%s: the records before offset %d were deleted before this group read any", log_losses.name(partition), offset)
        self._seek(partition, OffsetAndMetadata(offset, "", UNKNOWN))

    def _seek(self, partition: TopicPartition, position: OffsetAndMetadata) -> None:
        self._epochs.starts(partition, ReadTo(position.offset, position.leader_epoch))
        self._consumer.seek(partition, position.offset)

    def _cut(self, ends: Iterable[tuple[TopicPartition, ReadTo]]) -> bool:
        """Return whether the log was cut before one of these ends of what was read, which is a loss."""
        follow: dict[TopicPartition, OffsetAndMetadata] = {}
        lost: dict[TopicPartition, Range] = {}
        ranges = []
        for partition, (offset, epoch) in ends:
            kept_to, last_epoch = internals.end_of_epoch(self._consumer, partition, epoch, CALL_SECONDS)
            if kept_to >= offset:
                continue
            if kept_to < 0:
                kept_to, last_epoch = self._consumer.beginning_offsets([partition], timeout_ms=CALL_MS)[partition], UNKNOWN
            end = self._consumer.end_offsets([partition], timeout_ms=CALL_MS)[partition]
            ranges.append(log_losses.cut(partition, offset, kept_to, end))
            follow.setdefault(partition, OffsetAndMetadata(kept_to, "", last_epoch))
            lost[partition] = (follow[partition].offset, offset)
        if follow:
            self._stop_unless_accepted(", ".join(ranges))
            self._go_on(follow, lost)
        return bool(follow)

    def _follow_new_topic(self, now: str, before: Mapping[TopicPartition, str | None], read: Mapping[TopicPartition, int]) -> None:
        """Handle a topic that was created anew. `now`: its id; `before`: the former one's, and `read`: the next offset to read of it."""
        if before:
            self._stop_unless_accepted(", ".join(log_losses.new_topic(one, read[one], str(before[one]), now) for one in sorted(before)))
        oldest = self._consumer.beginning_offsets(sorted(before.keys() & self._consumer.assignment()), timeout_ms=CALL_MS)
        self._topic_id = now
        self._lost.clear()
        self._epochs = LeaderEpochs()
        self._go_on({partition: OffsetAndMetadata(offset, "", UNKNOWN) for partition, offset in oldest.items()})

    def handle_loss(self, error: kafka_errors.OffsetOutOfRangeError) -> None:
        """Handle positions at which the log has no record."""
        wanted: dict[TopicPartition, int] = error.args[0]
        oldest = self._consumer.beginning_offsets(list(wanted), timeout_ms=CALL_MS)
        newest = self._consumer.end_offsets(list(wanted), timeout_ms=CALL_MS)
        self._stop_unless_accepted(
            ", ".join(log_losses.out_of_range(one, offset, oldest[one], newest[one]) for one, offset in wanted.items())
        )
        cut = {partition: (newest[partition], offset) for partition, offset in wanted.items() if offset > newest[partition]}
        self._go_on({partition: OffsetAndMetadata(oldest[partition], "", UNKNOWN) for partition in wanted}, cut)

    def handle_truncation(self, error: kafka_errors.LogTruncationError) -> None:
        """Handle what kafka-python itself has noticed."""
        self._cut([(one, read_to) for one in sorted(error.divergent_offsets) if (read_to := self._epochs.read_to(one)) is not None])

    def _stop_unless_accepted(self, ranges: str) -> None:
        if not self._accept_loss:
            message = f"{ranges}. Nothing was skipped; to continue with the remaining records, start once with --accept-loss"
            raise QuartetError(ExitCode.DATA_LOST, message)
        log.error("accepted loss: %s", ranges)

    def _go_on(self, positions: Mapping[TopicPartition, OffsetAndMetadata], lost: Mapping[TopicPartition, Range] | None = None) -> None:
        """Read from there, and commit it at once: without new records the next start would find the old commit, and stop again."""
        for partition, position in positions.items():
            self._seek(partition, position)
        for partition, gone in (lost or {}).items():
            self._lost.setdefault(partition, []).append(gone)
        commits = {partition: self.commit_of(partition, position.offset) for partition, position in positions.items()}
        if commits:
            self._consumer.commit(commits, timeout_ms=CALL_MS)
