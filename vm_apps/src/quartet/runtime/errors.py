"""What an exit status means; systemd shows it in `systemctl status`, and sysexits.h gave the numbers where one fits."""

from __future__ import annotations

from enum import IntEnum


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
