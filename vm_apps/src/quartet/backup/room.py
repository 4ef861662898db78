"""Whether there is room for a second copy of the documents."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from quartet.backup.manifest import Manifest
from quartet.runtime.errors import ExitCode, QuartetError

_FACTOR: Final = 1.5
#: The journal's files and an empty database
_EMPTY_BYTES: Final = 400 * 2**20


def require_space(manifest: Manifest, directory: Path) -> None:
    """Refuse to load a backup where there is less room than 1.5 times its documents and an empty server.

    Raises:
        QuartetError: FAILED, naming both sizes.
    """
    needed = int(manifest.uncompressed_bytes * _FACTOR) + _EMPTY_BYTES
    free = shutil.disk_usage(directory).free
    if free < needed:
        message = f"a server with this backup needs {needed:,} bytes and {directory} has {free:,} free; make room first"
        raise QuartetError(ExitCode.FAILED, message)
