"""What a loop needs of the process around it."""

from __future__ import annotations

from typing import Protocol


class Host(Protocol):
    """The process around a loop (quartet.runtime.service.Service)."""

    stopping: bool

    def alive(self) -> None:
        """Feed the watchdog."""

    def status(self, text: str, *, now: bool = False) -> None:
        """Show what is being done."""

    def sleep(self, seconds: float) -> None:
        """Sleep until the time is over or the process shall stop."""
