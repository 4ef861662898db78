"""When the records at given offsets were appended. A record's time is kept as long as it is asked for, so a group that stands still costs nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from kafka import KafkaConsumer, TopicPartition

from quartet.kafka import client as kafka_client
from quartet.runtime.settings import Kafka

#: How long one poll may wait for records; what has not come by then is asked for again at the next one
_SECONDS: Final = 5.0
#: One record of each partition is wanted; the broker answers with at least one batch
_PARTITION_BYTES: Final = 16_384

Place = tuple[TopicPartition, int]


class RecordTimes:
    """Reads the times of records, as a consumer without a group."""

    def __init__(self, settings: Kafka, password: str) -> None:
        self._settings = settings
        self._password = password
        self._consumer: KafkaConsumer | None = None
        self._known: dict[Place, float] = {}

    def read(self, places: Iterable[Place]) -> dict[Place, float]:
        """Return the time (seconds since the epoch) of the record at each offset, or of the first one after it.

        Places whose record does not come in time are left out. Call within quartet.kafka.client.translate_errors().
        """
        wanted = set(places)
        self._known = {place: moment for place, moment in self._known.items() if place in wanted}
        end = time.monotonic() + _SECONDS
        while (missing := wanted - self._known.keys()) and time.monotonic() < end:
            # Groups may be at different offsets of a partition: one of them at a time.
            self._read(dict(sorted(missing)), end)
        return dict(self._known)

    def close(self) -> None:
        """Close the consumer; the next call opens a new one."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False)

    def _read(self, offsets: dict[TopicPartition, int], end: float) -> None:
        if self._consumer is None:
            self._consumer = kafka_client.connect_reader(self._settings, self._password, partition_bytes=_PARTITION_BYTES)
        consumer = self._consumer
        consumer.assign(list(offsets))
        for partition, offset in offsets.items():
            consumer.seek(partition, offset)
        # an assignment that stays the same keeps its pauses
        consumer.resume(*offsets)
        left = set(offsets)
        while left and time.monotonic() < end:
            for partition, records in consumer.poll(timeout_ms=500).items():
                if partition in left and records:
                    self._known[partition, offsets[partition]] = records[0].timestamp / 1000
                    left.remove(partition)
                    consumer.pause(partition)
