"""The two errors that callers handle, QuartetError (stop) and Unavailable (retry), the exit codes, and the timeout of a call.

systemd shows the exit status in `systemctl status`; the numbers follow sysexits.h where it has a matching one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Final

#: Timeout of every blocking call, in seconds: well below the watchdog timeout (60 s), so that the watchdog is always fed in time.
CALL_SECONDS: Final = 10.0


class ExitCode(IntEnum):
    """Exit statuses of every subcommand."""

    OK = 0
    #: a rule is broken, something was not sent, or work is left
    FAILED = 1
    #: wrong command line
    USAGE = 2
    #: a data set, an order or another input is invalid
    INPUT = 65
    #: the model is missing, altered or of an unsupported kind
    MODEL = 66
    #: a server was not reached in time, and the command does not wait for it
    UNAVAILABLE = 69
    #: a bug in this program
    SOFTWARE = 70
    #: a folder cannot be written, or its disk is full
    DISK = 73
    #: records were deleted from the topic before they were read, its log lost records that were read, or it was created anew
    DATA_LOST = 74
    #: the database rejects so many documents that the deployment must be misconfigured
    REJECTED = 76
    #: a server does not accept the user or the password
    CREDENTIALS = 77
    #: the settings are invalid
    CONFIGURATION = 78


class QuartetError(Exception):
    """An error that an operator can fix: it ends the process with a named exit code and without a traceback."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unavailable(Exception):
    """A server does not answer at the moment: the caller must retry later."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"{server}: {reason}")
        self.server = server


@contextmanager
def exit_if_unavailable() -> Iterator[None]:
    """Translate Unavailable into an exit code: commands that do one thing and end do not wait for servers."""
    try:
        yield
    except Unavailable as error:
        raise QuartetError(ExitCode.UNAVAILABLE, str(error)) from error
