"""Serves metrics: with TLS to clients that have a certificate of the installation's CA, or in plaintext on loopback.

prometheus_client's own server makes the TLS handshake where it accepts connections, so one client that connects and says nothing would keep
every other from its answer; this one makes it in the connection's thread and gives up on it.
"""

from __future__ import annotations

import os
import ssl
import threading
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, disable_created_metrics, make_wsgi_app

from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.settings import MetricsTls

#: The credential of the unit with key and certificate
CREDENTIAL: Final = "metrics.pem"
_CLIENT_SECONDS: Final = 5.0


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(_CLIENT_SECONDS)
        if self.context is None:
            super().finish_request(request, client_address)
            return
        with self.context.wrap_socket(request, server_side=True) as connection:
            super().finish_request(connection, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client without a certificate, or one that hangs up, is its own concern and would fill the journal."""

    def shutdown_request(self, request: Any) -> None:
        # wrap_socket() took the socket over; closing it there closed the connection
        if request.fileno() >= 0:
            super().shutdown_request(request)


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 (the name in the standard library)
        """Say nothing."""


def serve(registry: CollectorRegistry, port: int, tls: MetricsTls | None) -> WSGIServer:
    """Serve metrics in a thread of their own until the process ends.

    Args:
        registry: the metrics.
        port: the port; 0: any, see the returned server's `server_port`.
        tls: TLS with client certificates at this address; None: plaintext on 127.0.0.1.

    Raises:
        QuartetError: CONFIGURATION, the credential is missing or not a key with its certificate, or the address cannot be listened at.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    address = tls.address if tls else "127.0.0.1"
    context = None if tls is None else _context(tls)
    try:
        server = make_server(address, port, make_wsgi_app(registry), _Server, handler_class=_Handler)
    except OSError as error:
        message = f"cannot serve metrics at {address}:{port} ({error}): free the port, or see that the address is this VM's"
        raise QuartetError(ExitCode.CONFIGURATION, message) from None
    server.context = context
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _context(tls: MetricsTls) -> ssl.SSLContext:
    pem = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent"), CREDENTIAL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(tls.ca_file)
        context.load_cert_chain(pem)
    except OSError as error:  # an SSLError is one
        message = f"cannot serve metrics with {pem} and {tls.ca_file}: {error}; site.yml issues the certificate (role pki)"
        raise QuartetError(ExitCode.CONFIGURATION, message) from None
    return context
