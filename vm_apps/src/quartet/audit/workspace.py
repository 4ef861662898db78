"""The temporary folder of an audit: private, on a disk with enough space, and gone afterwards."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from quartet.runtime.errors import ExitCode, QuartetError

BYTES_PER_IMAGE: Final = 1_500
"""Disk space per image, its inference and their documents: evidence and what DuckDB spills (docs/performance.md)."""
_RESERVE_BYTES: Final = 100 * 2**20
_PREFIX: Final = "quartet-evidence-"


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder in `parent` that only this user may enter; remove it at the end, also on SIGTERM and SIGHUP.

    Folders that a killed process has left there are removed first.

    Raises:
        QuartetError: DISK, `parent` cannot be written.
    """
    before = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        folder, held = _create(parent)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def require_space(folder: Path, images: int) -> None:
    """Refuse to start what would fill the disk. `images`: number of images, or of inferences if there are more.

    Raises:
        QuartetError: DISK, naming the space that is there and the space that is needed.
    """
    needed = _RESERVE_BYTES + images * BYTES_PER_IMAGE
    free = shutil.disk_usage(folder).free
    if free < needed:
        message = (
            f"the evidence of {images:,} images needs {needed / 2**20:,.0f} MiB in {folder.parent}, and {free / 2**20:,.0f} MiB are free: "
            "free disk space, or name a folder on another disk with --work"
        )
        raise QuartetError(ExitCode.DISK, message)


def _create(parent: Path) -> tuple[Path, int]:
    """Return a new folder and its descriptor, which holds the folder's lock."""
    try:
        around = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # nobody takes a folder for a leftover before it is locked
            fcntl.flock(around, fcntl.LOCK_EX)
            _remove_leftovers(parent)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            held = os.open(folder, os.O_RDONLY)
            fcntl.flock(held, fcntl.LOCK_EX)
        finally:
            os.close(around)
    except OSError as error:
        message = f"cannot work in {parent}: {error.strerror}. Name a folder of this user with --work"
        raise QuartetError(ExitCode.DISK, message) from error
    return folder, held


def _remove_leftovers(parent: Path) -> None:
    """Remove the folders whose process is gone: a living one holds a lock on its folder."""
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # another user's, or gone meanwhile
            continue
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:  # in use
            pass
        finally:
            os.close(held)


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)
