"""Reads the newest inferences from Kafka: partitions assigned by hand, no group, no commit, so it stands in nobody's way."""

from __future__ import annotations

import time
from typing import Final

from kafka import KafkaConsumer, TopicPartition

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
#: What the client must not ask more of a broker than; a newer or an older one tells its version when it is reached
_OLDEST_BROKER: Final = (4, 0)


class InferenceTail:
    """The end of the topic `inferences`.

    One client lives as long as the process and reconnects by itself: each failed construction of a KafkaConsumer would leave a thread
    behind (kafka-python 3.0.12 starts it before it asks for the broker's version, which `api_version` makes unnecessary).
    """

    def __init__(self, settings: Kafka, password: str, topic: str) -> None:
        require_crc32c()
        self._topic = topic
        self._consumer = KafkaConsumer(
            **client_options(settings, password),
            api_version=_OLDEST_BROKER,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            allow_auto_create_topics=False,
            fetch_max_wait_ms=250,
            max_partition_fetch_bytes=262_144,
            fetch_max_bytes=1_048_576,
        )
        self._partitions: list[TopicPartition] = []
        self._log_end = 0
        self._asked_at = 0.0

    def read(self, seconds: float) -> list[Inference]:
        """Return inferences that came within so many seconds; records that break the contract are left out.

        Raises:
            Unavailable, QuartetError
        """
        with translate_errors():
            if not self._partitions:
                self._begin()
            found = self._consumer.poll(timeout_ms=int(seconds * 1000), max_records=_MOST_DECODED)
            self._watch_ends()
        return [inference for records in found.values() for record in records if (inference := _decoded(record)) is not None]

    def log_end(self) -> int:
        """Return the number of records that were ever appended, as of at most 2 s ago: the sum of the partitions' end offsets."""
        return self._log_end

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close(autocommit=False, timeout_ms=1_000)

    def _begin(self) -> None:
        """Take the partitions, a few records before their ends."""
        numbers = internals.partitions_of_topic(self._consumer, self._topic, _METADATA_SECONDS)
        if not numbers:
            raise Unavailable("kafka", f"topic {self._topic} does not exist")
        partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        begin, end = self._consumer.beginning_offsets(partitions), self._consumer.end_offsets(partitions)
        self._consumer.assign(partitions)
        for partition in partitions:
            self._consumer.seek(partition, max(begin[partition], end[partition] - _FIRST_RECORDS))
        self._partitions = partitions
        self._log_end, self._asked_at = sum(end.values()), time.monotonic()

    def _watch_ends(self) -> None:
        """Ask for the ends of the log, which also shows that a broker answers: for poll() silence and no records are the same."""
        if time.monotonic() - self._asked_at < _ENDS_SECONDS:
            return
        end = self._consumer.end_offsets(self._partitions)
        self._log_end, self._asked_at = sum(end.values()), time.monotonic()
        behind = self._log_end - sum(self._consumer.position(partition) or 0 for partition in self._partitions)
        if behind > _MOST_BEHIND:
            for partition in self._partitions:
                self._consumer.seek(partition, end[partition])


def _decoded(record: object) -> Inference | None:
    try:
        return decode_inference(record.key, record.value)  # type: ignore[attr-defined]
    except ContractError:
        return None
