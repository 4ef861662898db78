"""What Kafka says before it closes a connection. kafka-python 3.0 reads until the end and then throws away what came before it.

The last words name the cause: with them a wrong password is refused by name, without them it looks like a server that does not answer.
"""

from __future__ import annotations

from typing import Any

from kafka.net.transport import KafkaSSLTransport

_read_to_the_end = KafkaSSLTransport._sock_recv


def _read(transport: Any) -> tuple[bytes, Exception | None]:
    received, error = _read_to_the_end(transport)
    # The end of the connection is still there at the next read.
    return received, None if received else error


def patch_read_before_close() -> None:
    """Make kafka-python hand on what it received before a connection ended, in this process."""
    KafkaSSLTransport._sock_recv = _read
