"""Paces the images: when the next one is due."""

from __future__ import annotations

import time


class Pace:
    """The rate at which images are sent. `rate`: images per second, 0 = unlimited."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._start = time.monotonic()
        self._sent = 0

    def seconds_left(self) -> float:
        """Return the seconds until the next image is due; 0 or less if it is due now."""
        return 0.0 if self._rate == 0 else self._start + self._sent / self._rate - time.monotonic()

    def sent(self) -> None:
        """Count an image as sent."""
        self._sent += 1
        if self._rate and self.seconds_left() < -1:
            # after an outage continue at the rate, without catching up
            self._start, self._sent = time.monotonic(), 0
