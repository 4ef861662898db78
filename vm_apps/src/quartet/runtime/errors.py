"""The two errors that matter, to stop (QuartetError) and to wait (Unavailable), and how long a call may take before it is one.

systemd shows an exit status in `systemctl status`; sysexits.h gave the numbers where one fits.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

#: No call blocks longer, so that the watchdog (60 s) is always fed in time.
CALL_SECONDS: Final = 10.0


class ExitCode(IntEnum):
    """Exit statuses of every subcommand."""

    OK = 0
    #: a rule does not hold, something was not sent, something is left to do
    FAILED = 1
    #: wrong command line
    USAGE = 2
    #: a data set, an order or another input is not what it should be
    INPUT = 65
    #: the model is missing, altered or does not fit
    MODEL = 66
    #: a server was not reached in time, where the command does not wait for it
    UNAVAILABLE = 69
    #: a defect of this program
    SOFTWARE = 70
    #: records that nobody has read were deleted from the topic
    DATA_LOST = 74
    #: the database refuses so many records that the deployment must be wrong
    REJECTED = 76
    #: a server does not accept the user or the password
    CREDENTIALS = 77
    #: the settings are wrong
    CONFIGURATION = 78


class QuartetError(Exception):
    """An error that the operator can do something about: it ends the process with a named exit code and no traceback."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unavailable(Exception):
    """A server does not answer, for now: what was begun must be begun again later."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"{server}: {reason}")
        self.server = server
