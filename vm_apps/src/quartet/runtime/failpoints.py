"""Points where a test makes a process die, stop or hang, to verify that no data is lost there.

Armed by `QUARTET_FAILPOINT=POINT:KIND:TIMES` in the unit's environment (a drop-in of tests/faults; nothing else sets it); without it,
`reach` costs one comparison. POINT is one of POINTS. KIND: `kill` (SIGKILL to itself), `stop` (SIGSTOP to itself, until somebody sends
SIGCONT) or `hang` (sleeps forever, so that the watchdog fires). Each process acts once, at its second pass, when work of the first is in
progress. The marker file `failpoint` in the state directory counts the processes that acted: after TIMES of them the next one runs on.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path
from typing import Final

from quartet.runtime.errors import ExitCode, QuartetError

log = logging.getLogger(__name__)

#: In the order in which a batch passes them: read; its writes started; all of them acknowledged; its offsets committed.
POINTS: Final = ("after-poll", "after-write", "after-settle", "after-commit")
KINDS: Final = ("kill", "stop", "hang")
_AT_PASS: Final = 2


class Failpoint:
    """An armed failpoint. `specification`: POINT:KIND:TIMES; `marker`: file with the number of processes that acted.

    Raises:
        QuartetError: CONFIGURATION, the specification is invalid.
    """

    def __init__(self, specification: str, marker: Path) -> None:
        point, _, rest = specification.partition(":")
        kind, _, times = rest.partition(":")
        if point not in POINTS or kind not in KINDS or not times.isdecimal():
            message = (
                f"QUARTET_FAILPOINT is POINT:KIND:TIMES, POINT of {', '.join(POINTS)}, KIND of {', '.join(KINDS)}; got {specification}"
            )
            raise QuartetError(ExitCode.CONFIGURATION, message)
        self._point, self._kind, self._times = point, kind, int(times)
        self._marker = marker
        self._passes = 0

    def reach(self, point: str) -> None:
        """Die, stop or hang if this is the armed point, at its second pass."""
        if point != self._point:
            return
        self._passes += 1
        acted = int(self._marker.read_text()) if self._marker.exists() else 0
        if self._passes != _AT_PASS or acted >= self._times:
            return
        self._marker.write_text(str(acted + 1))
        log.warning("failpoint %s: %s, %d of %d", point, self._kind, acted + 1, self._times)
        if self._kind == "hang":
            while True:
                time.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL if self._kind == "kill" else signal.SIGSTOP)


def _from_environment() -> Failpoint | None:
    specification = os.environ.get("QUARTET_FAILPOINT")
    return Failpoint(specification, Path(os.environ.get("STATE_DIRECTORY", "."), "failpoint")) if specification else None


_armed: Final = _from_environment()


def reach(point: str) -> None:
    """Report that a batch has reached this point."""
    if _armed is not None:
        _armed.reach(point)
