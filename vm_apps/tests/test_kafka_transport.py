"""Bytes received before the end of a connection are returned, and then the end."""

from __future__ import annotations

import contextlib
import socket

from kafka.net.transport import KafkaSSLTransport
from quartet.kafka.transport import patch_read_before_close


class _Plain:
    """As much of an unencrypted connection as the transport's reading needs."""

    def wrap_socket(self, sock: socket.socket, **_: object) -> socket.socket:
        return sock


def test_bytes_before_the_close_are_returned() -> None:
    patch_read_before_close()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    transport = KafkaSSLTransport(None, ours, ssl_context=_Plain())
    theirs.sendall(b"why not")
    theirs.close()
    with contextlib.closing(ours):
        assert transport._sock_recv() == (b"why not", None)
        received, error = transport._sock_recv()
        assert received == b""
        assert "disconnected" in str(error)
