"""What the job tells systemd: ready, still alive, and the line that `systemctl status` shows."""

from __future__ import annotations

import os
import socket


class UnitStatus:
    """Speaks systemd's notify protocol; outside a unit it says nothing."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._line = ""

    def ready(self, line: str) -> None:
        """Say that the local checks are passed."""
        self._send(f"READY=1\nSTATUS={line}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def line(self, line: str) -> None:
        """Show a line; sent only when it is a new one."""
        if line != self._line:
            self._line = line
            self._send(f"STATUS={line}")

    def stopping(self) -> None:
        """Say that the unit goes down on purpose."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(text.encode(), address)
