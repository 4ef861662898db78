"""Records that Kafka has not yet acknowledged; failed ones are sent again.

The client's thread completes the futures. The caller's loop polls them here, which avoids a callback per record.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

from kafka import errors as kafka_errors

from quartet.kafka import client as kafka_client
from quartet.kafka import internals

#: Key, value and headers of a record
EncodedRecord = tuple[bytes, bytes, list[tuple[str, bytes]]]


class Outbox:
    """Unacknowledged records of one topic. `connect` returns a kafka-python KafkaProducer."""

    def __init__(self, topic: str, connect: Callable[[], Any]) -> None:
        self._topic = topic
        self._connect = connect
        self._client: Any = None
        self._in_flight: deque[tuple[int, EncodedRecord, Any]] = deque()
        self._failed: deque[tuple[int, EncodedRecord]] = deque()
        #: Why the last failed record failed
        self.error: BaseException | None = None

    @property
    def in_flight(self) -> int:
        """Number of records that were sent and not yet acknowledged."""
        return len(self._in_flight)

    @property
    def failed(self) -> int:
        """Number of failed records that wait to be sent again."""
        return len(self._failed)

    def open(self) -> None:
        """Connect, if there is no client.

        Raises:
            Unavailable: Kafka does not answer, or the topic does not exist (yet).
            QuartetError: CREDENTIALS.
        """
        if self._client is None:
            with kafka_client.translate_errors():
                self._client = self._connect()

    def send(self, sequence: int, record: EncodedRecord) -> None:
        """Pass a record to the client.

        Raises:
            Unavailable: Kafka does not answer; the client did not take the record.
            QuartetError: CREDENTIALS.
        """
        self.open()
        key, value, headers = record
        try:
            future = self._client.send(self._topic, key=key, value=value, headers=headers)
        except kafka_errors.KafkaError:
            with kafka_client.translate_errors():
                raise
        self._in_flight.append((sequence, record, future))

    def wait(self, seconds: float) -> None:
        """Wait until the oldest record in flight is acknowledged or has failed, or the time has passed."""
        if self._in_flight:
            with contextlib.suppress(kafka_errors.KafkaError):
                self._in_flight[0][2].get(timeout=seconds)

    def collect_acknowledged(self) -> list[int]:
        """Take completed records out of those in flight; return the sequences that were acknowledged.

        Raises:
            QuartetError: CREDENTIALS, Kafka refuses the password or the access.
        """
        acknowledged: list[int] = []
        while self._in_flight and self._in_flight[0][2].is_done:
            sequence, record, future = self._in_flight.popleft()
            if future.exception is None:
                acknowledged.append(sequence)
            else:
                self.error = future.exception
                self._failed.append((sequence, record))
        with kafka_client.translate_errors():
            if self._failed and isinstance(self.error, kafka_errors.AuthorizationError | kafka_errors.SaslAuthenticationFailedError):
                raise self.error
        return acknowledged

    def resend_first_failed(self) -> None:
        """Send the first failed record again; it stays failed if that fails.

        Raises:
            Unavailable, QuartetError
        """
        self.send(*self._failed[0])
        self._failed.popleft()

    def discard_client(self) -> None:
        """Close the client: the records in flight count as failed, and the next record opens a new client.

        After one record has expired, a client may never complete those behind it (kafka-python 3.0.12); a new client starts without a gap
        in its sequence numbers. Records that the old one did deliver are sent twice, which is idempotent.
        """
        self.close()
        behind = [(sequence, record) for sequence, record, _ in self._in_flight]
        self._failed = deque(sorted([*self._failed, *behind], key=lambda item: item[0]))
        self._in_flight.clear()

    def close(self) -> None:
        """Close the client without waiting for the records in flight."""
        client, self._client = self._client, None
        if client is not None:
            try:
                client.close(timeout=1)
            except kafka_errors.KafkaError:
                # With records in flight the client does not close, and its thread would go on sending them.
                internals.force_close(client)
