"""A thread that reads one source again and again, whoever is watching: one poller serves all browsers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from quartet.runtime.errors import QuartetError, Unavailable

log = logging.getLogger(__name__)

_SECONDS_AFTER_FAILURE: Final = 2.0


class Poller(threading.Thread):
    """Calls `turn` every `seconds`. An error of a server goes to `on_failure`, and the next turn tries again.

    `share`: the largest part of the time that turns may take. A count that takes a second is repeated less often, so that the console never
    becomes a load for the database.
    """

    def __init__(
        self, name: str, turn: Callable[[], None], seconds: float, on_failure: Callable[[str], None], *, share: float = 1.0
    ) -> None:
        super().__init__(name=f"console-{name}", daemon=True)
        self._turn, self._seconds, self._share = turn, seconds, share
        self._on_failure = on_failure
        self._stop_asked = threading.Event()
        self._last_why: str | None = None
        #: When the last turn ended (time.monotonic); a thread that hangs shows by it
        self.turned_at = time.monotonic()
        #: How long it waits after its last turn
        self.pause_seconds = seconds
        #: The error of the program that ended the thread
        self.crash: BaseException | None = None

    def run(self) -> None:
        """Poll until `stop`."""
        while not self._stop_asked.is_set():
            begin = time.monotonic()
            pause = self._seconds
            try:
                self._turn()
                self._report(None)
            except (Unavailable, QuartetError) as error:
                self._report(str(error))
                pause = max(pause, _SECONDS_AFTER_FAILURE)
            except Exception as error:
                self.crash = error
                log.exception("a bug in the console's reader %s", self.name)
                return
            self.turned_at = time.monotonic()
            taken = self.turned_at - begin
            self.pause_seconds = max(pause, taken / self._share - taken)
            self._stop_asked.wait(self.pause_seconds)

    def stop(self) -> None:
        """Ask the thread to end after its turn."""
        self._stop_asked.set()

    def _report(self, why: str | None) -> None:
        if why is not None:
            self._on_failure(why)
        if why != self._last_why:
            log.info("%s: %s", self.name, why or "answers again")
            self._last_why = why
