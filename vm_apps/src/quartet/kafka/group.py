"""A member of a consumer group that reads one topic: the source of the worker (quartet.worker.loop.Source)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import ConsumerRebalanceListener

from quartet.kafka import internals
from quartet.kafka.client import CALL_MS, client_options, translate_errors
from quartet.kafka.log_check import LogCheck
from quartet.runtime import metrics
from quartet.runtime.errors import Unavailable
from quartet.runtime.host import Host
from quartet.runtime.records import Partition, Record
from quartet.runtime.settings import Kafka

log = logging.getLogger(__name__)

# For poll() an unreachable broker and a topic without new records look the same.
_SILENCE_SECONDS: Final = 5.0
_RECONNECT_SECONDS: Final = 2.0


class GroupConsumer:
    """A static member of a consumer group that reads one topic from the committed offsets on.

    A group without a commit starts at the oldest record. If records after the committed offset were deleted, if the broker has lost records that
    were read, whatever has followed since, or if the topic was created anew, the process stops and names the lost range, unless the loss is
    accepted (`--accept-loss`). No record of a partition is returned before its commit was compared with the log (quartet.kafka.log_check).
    """

    def __init__(self, settings: Kafka, password: str, topic: str, group: str, instance: str, *, accept_loss: bool) -> None:
        self.topic = topic
        self._paused = False
        self._on_revoke: Callable[[], None] = lambda: None
        self._last_answer_at = time.monotonic()
        with translate_errors():
            self._consumer = KafkaConsumer(
                **client_options(settings, password),
                group_id=group,
                group_instance_id=instance,
                enable_auto_commit=False,
                auto_offset_reset="none",
                allow_auto_create_topics=False,
                session_timeout_ms=30_000,
                heartbeat_interval_ms=3_000,
                max_poll_interval_ms=300_000,
                max_poll_records=10_000,
                fetch_max_wait_ms=500,
                metadata_max_age_ms=30_000,
            )
            self._log = LogCheck(self._consumer, topic, accept_loss=accept_loss)
            self._consumer.subscribe([topic], listener=_Listener(self))
            # A member that joins before it knows the partitions assigns itself none, joins again, and may wait minutes for that.
            internals.partitions_of_topic(self._consumer, topic, _SILENCE_SECONDS)

    def on_revoke(self, discard: Callable[[], None]) -> None:
        """Set the callback that runs before partitions are revoked.

        kafka-python calls it inside `poll` on its own thread and allows no blocking call there, not even a commit. So the pending batches
        are discarded: the next owner of the partition reads their records again, which is idempotent.
        """
        self._on_revoke = discard

    def poll(self, seconds: float, max_records: int) -> list[Record]:
        """Return up to `max_records` records, in offset order within each partition; an empty list after `seconds`.

        If no record has arrived for 5 s, a small request checks that the broker still answers.

        Raises:
            Unavailable, QuartetError
        """
        with translate_errors():
            # before any record is in hand, which an error here would lose
            if self._log.topic_changed(self._on_revoke):
                return []
            self._log.start_assigned(paused=self._paused)
            try:
                found = self._consumer.poll(timeout_ms=int(seconds * 1000), max_records=max_records)
            except kafka_errors.NoOffsetForPartitionError:
                # a partition without a commit, which the next poll starts
                return []
            except kafka_errors.OffsetOutOfRangeError as error:
                self._log.handle_loss(error)
                return []
            except kafka_errors.LogTruncationError as error:
                self._log.handle_truncation(error)
                return []
            # kafka-python may still have had records of a partition that stayed through a rebalance
            found = {partition: records for partition, records in found.items() if partition not in self._log.unchecked}
            try:
                if self._log.topic_changed(self._on_revoke) or not self._log.check(found):
                    return []
            except kafka_errors.KafkaError:
                # nobody answered: they are read again, and compared then
                self.rewind({Partition(*partition): records[0].offset for partition, records in found.items()})
                raise
            if found:
                self._last_answer_at = time.monotonic()
            elif time.monotonic() - self._last_answer_at > _SILENCE_SECONDS:
                self._check_broker()
        return [record for records in found.values() for record in records]

    def has_assignment(self) -> bool:
        """Return whether partitions are assigned to this member."""
        return bool(self._consumer.assignment())

    def topic_exists(self) -> bool:
        """Return whether the topic exists.

        Raises:
            Unavailable, QuartetError
        """
        return self.partitions_of(self.topic) > 0

    def partitions_of(self, topic: str) -> int:
        """Return the number of partitions of a topic; 0 if it does not exist.

        Raises:
            Unavailable, QuartetError
        """
        with translate_errors():
            return len(internals.partitions_of_topic(self._consumer, topic, _SILENCE_SECONDS))

    def backlog(self) -> int | None:
        """Return the number of records left to read according to the last fetch responses; None if unknown."""
        left = 0
        for partition in self._consumer.assignment():
            end = self._consumer.highwater(partition)
            if end is None:
                return None
            with translate_errors():
                left += max(0, end - (self._consumer.position(partition, timeout_ms=1_000) or 0))
        return left

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit the offsets of the next records to read.

        A member that has lost its partitions cannot commit. The new owner processes the records again, which is idempotent.

        Raises:
            Unavailable, QuartetError
        """
        try:
            with translate_errors():
                wanted = {}
                for name, offset in offsets.items():
                    partition = TopicPartition(*name)
                    wanted[partition] = self._log.commit_of(partition, offset)
                self._consumer.commit(wanted, timeout_ms=CALL_MS)
        except Unavailable as error:
            if not isinstance(
                error.__cause__,
                kafka_errors.CommitFailedError
                | kafka_errors.IllegalGenerationError
                | kafka_errors.UnknownMemberIdError
                | kafka_errors.RebalanceInProgressError,
            ):
                raise
            log.warning("the group moved on before the commit; the records come again and change nothing")

    def rewind(self, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions again from these offsets."""
        assigned = self._consumer.assignment()
        for name, offset in offsets.items():
            if (partition := TopicPartition(*name)) in assigned:
                self._log.rewind(partition, offset)

    def pause(self) -> None:
        """Stop fetching; polling keeps the membership."""
        self._paused = True
        self._consumer.pause(*self._consumer.assignment())

    def resume(self) -> None:
        """Resume fetching."""
        self._paused = False
        self._consumer.resume(*(self._consumer.paused() - self._log.unchecked))

    def close(self) -> None:
        """Close without leaving the group: the same static member usually returns within the session timeout."""
        with translate_errors():
            self._consumer.close(autocommit=False, timeout_ms=CALL_MS)

    def partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Read nothing of these partitions before they were compared with the log; called by kafka-python, which allows no blocking call here."""
        self._log.assigned(assigned)

    def partitions_revoked(self) -> None:
        """Discard the pending batches; called by kafka-python before partitions are revoked."""
        self._on_revoke()

    def _check_broker(self) -> None:
        # requests the metadata if the topic is still unknown
        if internals.partitions_of_topic(self._consumer, self.topic, _SILENCE_SECONDS):
            some = next(iter(self._consumer.assignment()), TopicPartition(self.topic, 0))
            self._consumer.end_offsets([some], timeout_ms=int(_SILENCE_SECONDS * 1000))
        self._last_answer_at = time.monotonic()


def join(host: Host, connect: Callable[[], GroupConsumer]) -> GroupConsumer | None:
    """Connect, and retry while Kafka is unavailable; return None if the process is asked to stop meanwhile.

    Raises:
        QuartetError: CREDENTIALS.
    """
    while not host.stopping:
        try:
            return connect()
        except Unavailable as error:
            metrics.CONNECTED.labels(error.server).set(0)
            host.status(f"waiting, nothing is lost: {error}", now=True)
            log.warning("waiting: %s", error)
            host.sleep(_RECONNECT_SECONDS)
    return None


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: GroupConsumer) -> None:
        self._group_consumer = consumer

    def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        if revoked:
            self._group_consumer.partitions_revoked()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        log.info("assigned %d partitions", len(assigned), extra={"fields": {"partitions": sorted(item.partition for item in assigned)}})
        self._group_consumer.partitions_assigned(assigned)
