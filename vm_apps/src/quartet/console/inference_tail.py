"""Reads the newest inferences from Kafka: partitions assigned by hand, no group, no commit, so it stands in nobody's way."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from quartet.contracts.causes import ContractError
from quartet.contracts.inference import Inference, decode_inference
from quartet.kafka import internals
from quartet.kafka.client import client_options, require_crc32c, translate_errors
from quartet.runtime.errors import Unavailable
from quartet.runtime.settings import Kafka

#: Records before each partition's end that are read first, so that a quiet pipeline shows its last images
_FIRST_RECORDS: Final = 4
#: Further behind than this, the reader goes to the end: the wall shows the present
_MOST_BEHIND: Final = 2_000
_MOST_DECODED: Final = 500
_ENDS_SECONDS: Final = 2.0
_METADATA_SECONDS: Final = 5.0


class InferenceTail:
    """The end of the topic `inferences`. Connects on the first call, and again after an error."""

    def __init__(self, settings: Kafka, password: str, topic: str) -> None:
        require_crc32c()
        self._settings, self._password, self._topic = settings, password, topic
        self._consumer: KafkaConsumer | None = None
        self._partitions: list[TopicPartition] = []
        self._log_end = 0
        self._asked_at = 0.0

    def read(self, seconds: float) -> list[Inference]:
        """Return inferences that came within so many seconds; records that break the contract are left out.

        Raises:
            Unavailable, QuartetError
        """
        try:
            with translate_errors():
                consumer = self._consumer or self._connect()
                found = consumer.poll(timeout_ms=int(seconds * 1000), max_records=_MOST_DECODED)
                self._watch_ends(consumer)
        except BaseException:
            self.close()
            raise
        return [inference for records in found.values() for record in records if (inference := _decoded(record)) is not None]

    def log_end(self) -> int:
        """Return the number of records that were ever appended, as of at most 2 s ago: the sum of the partitions' end offsets."""
        return self._log_end

    def close(self) -> None:
        """Close the connection."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            # what it was closed for is told already
            with suppress(KafkaError, OSError):
                consumer.close(autocommit=False, timeout_ms=1_000)

    def _connect(self) -> KafkaConsumer:
        self._consumer = consumer = KafkaConsumer(
            **client_options(self._settings, self._password),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            allow_auto_create_topics=False,
            fetch_max_wait_ms=250,
            max_partition_fetch_bytes=262_144,
            fetch_max_bytes=1_048_576,
        )
        numbers = internals.partitions_of_topic(consumer, self._topic, _METADATA_SECONDS)
        if not numbers:
            raise Unavailable("kafka", f"topic {self._topic} does not exist")
        self._partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        consumer.assign(self._partitions)
        begin, end = consumer.beginning_offsets(self._partitions), consumer.end_offsets(self._partitions)
        for partition in self._partitions:
            consumer.seek(partition, max(begin[partition], end[partition] - _FIRST_RECORDS))
        self._log_end, self._asked_at = sum(end.values()), time.monotonic()
        return consumer

    def _watch_ends(self, consumer: KafkaConsumer) -> None:
        """Ask for the ends of the log, which also shows that a broker answers: for poll() silence and no records are the same."""
        if time.monotonic() - self._asked_at < _ENDS_SECONDS:
            return
        end = consumer.end_offsets(self._partitions)
        self._log_end, self._asked_at = sum(end.values()), time.monotonic()
        behind = self._log_end - sum(consumer.position(partition) or 0 for partition in self._partitions)
        if behind > _MOST_BEHIND:
            for partition in self._partitions:
                consumer.seek(partition, end[partition])


def _decoded(record: object) -> Inference | None:
    try:
        return decode_inference(record.key, record.value)  # type: ignore[attr-defined]
    except ContractError:
        return None
