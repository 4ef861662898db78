"""Keeps what Kafka sends before it closes a connection. kafka-python 3.0 reads to the end of the connection and discards what came before.

The last response names the cause: without it a wrong password looks like a server that does not answer.
"""

from __future__ import annotations

from typing import Any

from kafka.net.transport import KafkaSSLTransport

_read_to_the_end = KafkaSSLTransport._sock_recv


def _read_before_close(transport: Any) -> tuple[bytes, Exception | None]:
    received, error = _read_to_the_end(transport)
    # The next read reports the end of the connection.
    return received, None if received else error


def patch_read_before_close() -> None:
    """Make kafka-python return what it received before a connection ended, in this process."""
    KafkaSSLTransport._sock_recv = _read_before_close
