"""Read a unit's metrics as root: ADDRESS PORT prints them; ADDRESS PORT COUNTER LABEL GOAL SECONDS prints `seconds value` of a counter.

It prints until the counter's samples with LABEL (such as outcome="stored"; empty: all) reach the goal together, or the unit ends. They are
served with TLS at the VM's address where the VM has a certificate for them, else in plaintext on loopback.
"""

import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CERTIFICATE = Path("/etc/quartet/pki/metrics.pem")


def read(address: str, port: str) -> str:
    """Return the metrics."""
    context, url = None, f"http://127.0.0.1:{port}/metrics"
    if CERTIFICATE.exists():
        context, url = ssl.create_default_context(cafile="/etc/quartet/pki/ca.crt"), f"https://{address}:{port}/metrics"
        context.load_cert_chain(CERTIFICATE)
    with urllib.request.urlopen(url, timeout=5, context=context) as answer:
        return str(answer.read().decode())


def watch(address: str, port: str, counter: str, label: str, *, goal: float, limit: float) -> None:
    """Print the counter five times a second."""
    end = time.monotonic() + limit
    value = 0.0
    while time.monotonic() < end and value < goal:
        try:
            text = read(address, port)
        except (urllib.error.URLError, ConnectionError):
            # a unit that is not there yet, or a producer that has finished
            if value:
                break
        else:
            moment = time.monotonic()
            lines = [line for line in text.splitlines() if line.startswith((counter + "{", counter + " ")) and label in line]
            value = sum(float(line.rsplit(" ", 1)[1]) for line in lines)
            print(moment, value)
        time.sleep(0.2)


if len(sys.argv) == 3:
    print(read(*sys.argv[1:]))
else:
    watch(*sys.argv[1:5], goal=float(sys.argv[5]), limit=float(sys.argv[6]))
