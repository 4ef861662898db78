"""Files that are there whole, or not at all, after a power loss."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(file: Path, content: bytes) -> None:
    """Write a file beside its place, fsync it, and rename it into its place: a reader sees the old content or the new one."""
    temporary = file.with_name(file.name + ".new")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Write a folder's entries to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
