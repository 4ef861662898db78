"""A server that has just started, or elected a coordinator, is asked again for a minute: a nightly backup has one try a day."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from quartet.runtime.errors import Unavailable

T = TypeVar("T")

_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 1.0


def until_available(call: Callable[[], T]) -> T:
    """Return what `call` returns; a call that raises Unavailable is repeated.

    Raises:
        Unavailable: still, after a minute.
    """
    end = time.monotonic() + _SECONDS
    while True:
        try:
            return call()
        except Unavailable:
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE_SECONDS)
