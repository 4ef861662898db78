"""Runs SecantusDB, and ends it when its storage engine has given up.

After an error that it cannot undo, such as a full disk, WiredTiger refuses everything until the process is started again. SecantusDB 0.7.0b3
goes on and answers each command with "internal server error". Once it has ended, systemd starts it again, and what was acknowledged is
recovered.
"""

from __future__ import annotations

import logging
import os
import sys

from secantus.cli import main


class EndAtPanic(logging.Handler):
    """Ends the process at the first error of a command whose cause is a panic of the storage engine."""

    def emit(self, record: logging.LogRecord) -> None:
        """Look at the cause that was logged."""
        if record.exc_info and "WT_PANIC" in str(record.exc_info[1]):
            print(
                "the storage engine has given up; the lines above say why (disk full: make space). Ending, to be started again",
                file=sys.stderr,
                flush=True,
            )
            # closing would wait for the engine
            os._exit(os.EX_OSERR)


if __name__ == "__main__":
    logging.getLogger("secantus").addHandler(EndAtPanic())
    sys.exit(main())
