"""What a run loop needs of the process that runs it."""

from __future__ import annotations

from typing import Protocol


class Host(Protocol):
    """The process that runs a loop (quartet.runtime.service.Service)."""

    stopping: bool

    def feed_watchdog(self) -> None:
        """Feed the watchdog."""

    def status(self, text: str, *, now: bool = False) -> None:
        """Show a status line."""

    def sleep(self, seconds: float) -> None:
        """Sleep until the time has passed or the process is asked to stop."""
