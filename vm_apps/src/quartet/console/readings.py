"""What the console last read from each source, when, and why not since: the ground of every age on the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

#: A value older than this is unknown; between 10 s and this the page shows it in grey.
FORGET_SECONDS: Final = 300.0


@dataclass(frozen=True)
class Reading:
    """A value as it was read at `at` (seconds since the epoch). `why`: the reason if the last attempt failed."""

    value: Any = None
    at: float | None = None
    why: str | None = "not read yet"


class Readings:
    """The last reading of each source, written by the pollers' threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._readings: dict[str, Reading] = {}

    def succeed(self, name: str, value: Any) -> None:
        """Keep a value that was read now."""
        with self._lock:
            self._readings[name] = Reading(value, self._clock(), None)

    def fail(self, name: str, why: str) -> None:
        """Keep the reason of a failure; the value before it stays and grows old."""
        with self._lock:
            self._readings[name] = replace(self._readings.get(name, Reading()), why=why)

    def get(self, name: str) -> Reading:
        """Return the last reading, without its value if that is too old to be shown."""
        with self._lock:
            found = self._readings.get(name, Reading())
        if found.at is not None and self._clock() - found.at > FORGET_SECONDS:
            return Reading(None, None, found.why or "too old")
        return found
