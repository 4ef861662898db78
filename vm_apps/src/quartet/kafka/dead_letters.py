"""Writes refused records, complete and with their cause, to the dead-letter topic."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from kafka import errors as kafka_errors

from quartet.contracts.causes import Cause
from quartet.contracts.dead_letter import DeadLetter, encode_dead_letter
from quartet.kafka import client as kafka_client
from quartet.runtime import metrics
from quartet.runtime.errors import CALL_SECONDS, Unavailable
from quartet.runtime.records import Record


class DeadLetterWriter:
    """Writes refused records to the dead-letter topic. `connect` returns a kafka-python KafkaProducer."""

    def __init__(self, connect: Callable[[], Any], topic: str) -> None:
        self._connect = connect
        self._topic = topic
        self._producer: Any = None

    def write(self, refusals: Sequence[tuple[Record, Cause, str]]) -> PendingDeadLetters:
        """Start writing refused records.

        Raises:
            Unavailable, QuartetError
        """
        futures = []
        for record, cause, detail in refusals:
            key, value = encode_dead_letter(_letter(record, cause, detail))
            try:
                with kafka_client.translate_errors():
                    if self._producer is None:
                        self._producer = self._connect()
                    futures.append(self._producer.send(self._topic, key=key, value=value))
            except Unavailable:
                self.close()
                raise
        return PendingDeadLetters(futures, [(record.topic, cause) for record, cause, _ in refusals], self.close)

    def close(self) -> None:
        """Close the producer; the next write opens a new one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(kafka_errors.KafkaError):
                producer.close(timeout=1)


class PendingDeadLetters:
    """Dead letters that Kafka has not yet acknowledged."""

    def __init__(self, futures: Sequence[Any], origins: Sequence[tuple[str, Cause]], failed: Callable[[], None]) -> None:
        self._futures = futures
        self._origins = origins
        self._failed = failed

    def settle(self) -> None:
        """Wait until Kafka has acknowledged all of them.

        Raises:
            Unavailable: one was not acknowledged in time; the batch must be retried.
        """
        end = time.monotonic() + CALL_SECONDS
        try:
            with kafka_client.translate_errors():
                for future in self._futures:
                    future.get(timeout=max(0.001, end - time.monotonic()))
        except Unavailable:
            self._failed()
            raise
        for topic, cause in self._origins:
            metrics.DEAD_LETTERS.labels(topic, cause.value).inc()
            metrics.RECORDS.labels(metrics.app(), topic, "dead_lettered").inc()


def _letter(record: Record, cause: Cause, detail: str) -> DeadLetter:
    headers = tuple((name, None if content is None else bytes(content)) for name, content in record.headers)
    key = None if record.key is None else bytes(record.key)
    value = None if record.value is None else bytes(record.value)
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=key,
        value=value,
        headers=headers,
        cause=cause,
        detail=detail,
        refused_at=time.time_ns() // 1000,
    )
