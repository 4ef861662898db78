"""The systemd side of a process: readiness, watchdog, status line and stop signals. Without systemd it logs to stderr.

Only the work loop feeds the watchdog: a helper thread would keep a hung process alive.
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
    """The process's side of the protocol with systemd (Type=notify, WatchdogSec)."""

    def __init__(self) -> None:
        self.stopping = False
        self._status = ""
        self._status_at = 0.0
        #: When the watchdog was fed, in seconds of time.monotonic()
        self.watchdog_fed_at = time.monotonic()
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def ready(self, status: str) -> None:
        """Tell systemd that the local checks passed; `status` and the metrics report whether servers answer."""
        _notify(f"READY=1\nSTATUS={status}")
        log.info("ready: %s", status)

    def feed_watchdog(self) -> None:
        """Feed the watchdog."""
        self.watchdog_fed_at = time.monotonic()
        _notify("WATCHDOG=1")

    def set_watchdog_timeout(self, seconds: float | None) -> None:
        """Set the watchdog timeout; None restores the one of the unit (WatchdogSec)."""
        microseconds = os.environ.get("WATCHDOG_USEC") if seconds is None else str(int(seconds * 1_000_000))
        if microseconds:
            _notify(f"WATCHDOG_USEC={microseconds}\nWATCHDOG=1")

    def status(self, text: str, *, now: bool = False) -> None:
        """Show a line in `systemctl status`, at most one every 2 s unless `now` is set."""
        moment = time.monotonic()
        if now or (text != self._status and moment - self._status_at >= _STATUS_SECONDS):
            self._status, self._status_at = text, moment
            _notify(f"STATUS={text}")

    def sleep(self, seconds: float) -> None:
        """Sleep until the time has passed or the process is asked to stop, and feed the watchdog meanwhile."""
        end = time.monotonic() + seconds
        while not self.stopping and (left := end - time.monotonic()) > 0:
            self.feed_watchdog()
            time.sleep(min(left, 0.5))

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.stopping = True
        _notify(f"STOPPING=1\nSTATUS=stopping on {signal.Signals(number).name}: finishing the work in progress")


def _notify(message: str) -> None:
    if daemon is not None and "NOTIFY_SOCKET" in os.environ:
        daemon.notify(message)


class _JournalHandler(logging.Handler):
    """Write log records to the journal; entries of `extra={"fields": {...}}` become journal fields."""

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
    # kafka-python logs every attempt to connect; the apps log the outcome themselves.
    logging.getLogger("kafka").setLevel(logging.ERROR)


def fail(error: QuartetError) -> ExitCode:
    """Report an error that an operator can fix, and return the exit status."""
    log.error("%s", error, extra={"fields": {"exit_code": error.code.name}})
    _notify(f"STATUS={error.code.name}: {error}")
    return error.code
