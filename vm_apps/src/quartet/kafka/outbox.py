"""Records on their way to Kafka: each stays here until Kafka has acknowledged it; one that failed is handed over again.

The client's own thread completes the futures; they are looked at here, in the caller's loop, so that nothing is called for each record.
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
Encoded = tuple[bytes, bytes, list[tuple[str, bytes]]]


class Outbox:
    """Records of one topic. `connect` returns a client (kafka-python's KafkaProducer)."""

    def __init__(self, topic: str, connect: Callable[[], Any]) -> None:
        self._topic = topic
        self._connect = connect
        self._client: Any = None
        self._under_way: deque[tuple[int, Encoded, Any]] = deque()
        self._failed: deque[tuple[int, Encoded]] = deque()
        #: Why the last one failed
        self.error: BaseException | None = None

    @property
    def under_way(self) -> int:
        """How many records the client has."""
        return len(self._under_way)

    @property
    def failed(self) -> int:
        """How many records failed and wait to be handed over again."""
        return len(self._failed)

    def open(self) -> None:
        """Connect, if there is no client.

        Raises:
            Unavailable: Kafka is away, or there is no such topic (yet).
            QuartetError: CREDENTIALS.
        """
        if self._client is None:
            with kafka_client.translated():
                self._client = self._connect()

    def send(self, sequence: int, record: Encoded) -> None:
        """Give a record to the client.

        Raises:
            Unavailable: Kafka is away; the client does not have the record.
            QuartetError: CREDENTIALS.
        """
        self.open()
        key, value, headers = record
        try:
            future = self._client.send(self._topic, key=key, value=value, headers=headers)
        except kafka_errors.KafkaError:
            with kafka_client.translated():
                raise
        self._under_way.append((sequence, record, future))

    def wait(self, seconds: float) -> None:
        """Wait until the oldest record under way is acknowledged or failed, or the time is over."""
        if self._under_way:
            with contextlib.suppress(kafka_errors.KafkaError):
                self._under_way[0][2].get(timeout=seconds)

    def collect(self) -> list[int]:
        """Take note of what was acknowledged and what failed; return the sequences that were acknowledged.

        Raises:
            QuartetError: CREDENTIALS, Kafka does not accept the password or does not allow it.
        """
        acknowledged: list[int] = []
        while self._under_way and self._under_way[0][2].is_done:
            sequence, record, future = self._under_way.popleft()
            if future.exception is None:
                acknowledged.append(sequence)
            else:
                self.error = future.exception
                self._failed.append((sequence, record))
        with kafka_client.translated():
            if self._failed and isinstance(self.error, kafka_errors.AuthorizationError | kafka_errors.SaslAuthenticationFailedError):
                raise self.error
        return acknowledged

    def send_failed(self) -> None:
        """Give the client a record that failed before, again; it stays failed if that fails.

        Raises:
            Unavailable, QuartetError
        """
        self.send(*self._failed[0])
        self._failed.popleft()

    def start_over(self) -> None:
        """Give the client up: what is under way counts as failed, and the next record opens another client.

        After it has given up on a record a client may never finish with those behind it (kafka-python 3.0.12), and the next one's
        sequence numbers have no gap. What the old one delivered after all changes nothing when it comes again.
        """
        self.close()
        behind = [(sequence, record) for sequence, record, _ in self._under_way]
        self._failed = deque(sorted([*self._failed, *behind], key=lambda item: item[0]))
        self._under_way.clear()

    def close(self) -> None:
        """Close the client, without waiting for what is under way."""
        client, self._client = self._client, None
        if client is not None:
            try:
                client.close(timeout=1)
            except kafka_errors.KafkaError:
                # It does not close while something is under way, and its thread would go on sending that.
                internals.force_close(client)
