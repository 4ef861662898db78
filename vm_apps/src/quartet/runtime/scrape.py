"""Reads the metrics of an app of this VM, for commands that root runs there."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Final

from quartet.runtime.settings import MetricsTls

#: Key and certificate of this VM, which root alone may read
CERTIFICATE: Final = "/etc/quartet/pki/metrics.pem"
# The certificate is for the VM's address and for this; the address where an app listens may be another one (quartet_bind_address).
_NAME: Final = "localhost"


def scrape(port: int, tls: MetricsTls | None, *, seconds: float, certificate: str = CERTIFICATE) -> str:
    """Return the metrics that are served at a port.

    Args:
        port: the port.
        tls: where and how they are served, as in the app's settings.
        seconds: how long the answer may take.
        certificate: key and certificate to show, a file.

    Raises:
        OSError: they are not served there, or not to this certificate.
    """
    address = tls.address if tls and tls.address not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 (what is compared)
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        if tls is not None:
            context = ssl.create_default_context(cafile=tls.ca_file)
            context.load_cert_chain(certificate)
            plain = socket.create_connection((address, port), seconds)
            connection.sock = context.wrap_socket(plain, server_hostname=_NAME)
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise OSError(f"the answer is {answer.status} {answer.reason}")
        return answer.read().decode()
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP is spoken there: {error!r}") from None
    finally:
        connection.close()
