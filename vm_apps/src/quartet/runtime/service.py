"""A process as systemd sees it: ready, alive, what it is doing, and when to stop. Without systemd it logs to stderr.

The watchdog is fed from the work loop alone: a helper thread would keep a hung process alive.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from types import FrameType
from typing import Any, ClassVar, Final

from quartet.runtime.errors import ExitCode, QuartetError

try:  # Debian's python3-systemd
    from systemd import daemon, journal
except ImportError:  # pragma: no cover - a developer's machine
    daemon = journal = None

log = logging.getLogger(__name__)
_STATUS_SECONDS: Final = 2.0


class Service:
    """The process's side of the contract with systemd (Type=notify, WatchdogSec)."""

    def __init__(self) -> None:
        self.stopping = False
        self._status = ""
        self._status_at = 0.0
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def ready(self, status: str) -> None:
        """Say that the local checks are done; whether servers answer is told by `status` and the metrics."""
        _notify(f"READY=1\nSTATUS={status}")
        log.info("ready: %s", status)

    def alive(self) -> None:
        """Feed the watchdog."""
        _notify("WATCHDOG=1")

    def set_watchdog_timeout(self, seconds: float | None) -> None:
        """Let the watchdog wait so long for each sign of life; None: as long as the unit says."""
        microseconds = os.environ.get("WATCHDOG_USEC") if seconds is None else str(int(seconds * 1_000_000))
        if microseconds:
            _notify(f"WATCHDOG_USEC={microseconds}\nWATCHDOG=1")

    def status(self, text: str, *, now: bool = False) -> None:
        """Show a line in `systemctl status`; lines that follow each other quickly are dropped unless `now`."""
        moment = time.monotonic()
        if now or (text != self._status and moment - self._status_at >= _STATUS_SECONDS):
            self._status, self._status_at = text, moment
            _notify(f"STATUS={text}")

    def sleep(self, seconds: float) -> None:
        """Sleep, alive, until the time is over or the process shall stop."""
        end = time.monotonic() + seconds
        while not self.stopping and (left := end - time.monotonic()) > 0:
            self.alive()
            time.sleep(min(left, 0.5))

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.stopping = True
        _notify(f"STOPPING=1\nSTATUS=stopping on {signal.Signals(number).name}: finishing what was begun")


def _notify(message: str) -> None:
    if daemon is not None and "NOTIFY_SOCKET" in os.environ:
        daemon.notify(message)


class _JournalHandler(logging.Handler):
    """Log records as journal entries, with what was passed by `extra={"fields": {...}}` as fields of their own."""

    _PRIORITY: ClassVar = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields: dict[str, Any] = {f"QUARTET_{name.upper()}": str(value) for name, value in getattr(record, "fields", {}).items()}
            text = self.format(record)
            journal.send(text, PRIORITY=self._PRIORITY.get(record.levelno, 6), LOGGER=record.name, SYSLOG_IDENTIFIER="quartet", **fields)
        except Exception:  # noqa: BLE001 - logging must not end the process
            self.handleError(record)


def configure_logging() -> None:
    """Log to the journal where this is a unit, else to stderr."""
    if journal is not None and "JOURNAL_STREAM" in os.environ:
        handler: logging.Handler = _JournalHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # The client reports each attempt to connect; the apps' own lines say what matters.
    logging.getLogger("kafka").setLevel(logging.ERROR)


def fail(error: QuartetError) -> ExitCode:
    """Report an error that the operator can do something about, and return the exit status."""
    log.error("%s", error, extra={"fields": {"exit_code": error.code.name}})
    _notify(f"STATUS={error.code.name}: {error}")
    return error.code
