"""The folder in which the backups lie: which are complete, which passed a drill, which may go.

```
<directory>/lock
<directory>/20261126T031500Z/manifest.json   written last: without it the folder is an interrupted backup
                             drill.json      written by a drill that this backup passed
```
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from quartet.backup.manifest import MANIFEST
from quartet.runtime.durable import replace_file
from quartet.runtime.errors import ExitCode, QuartetError

_DRILL: Final = "drill.json"


class Shelf:
    """The backups of one directory. Their names are the times (UTC) at which they began, so they sort by age."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands away from the backups.

        Raises:
            QuartetError: UNAVAILABLE, another command is at work; CONFIGURATION, the directory cannot be used.
        """
        try:
            descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise QuartetError(ExitCode.CONFIGURATION, f"cannot use the folder of the backups: {error}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            message = f"another backup, drill or restore is at work in {self.directory}; wait until it has ended"
            raise QuartetError(ExitCode.UNAVAILABLE, message) from None
        finally:
            os.close(descriptor)

    def names(self) -> list[str]:
        """Return the names of the complete backups, newest first."""
        return sorted((file.parent.name for file in self.directory.glob(f"*/{MANIFEST}")), reverse=True)

    def find(self, name: str) -> Path:
        """Return the folder of a backup; `newest` names the newest one.

        Raises:
            QuartetError: INPUT, there is no such backup.
        """
        names = self.names()
        if name == "newest" and names:
            name = names[0]
        if name not in names:
            known = f"there are {', '.join(names)}" if names else "there is none yet: make backup"
            raise QuartetError(ExitCode.INPUT, f"there is no backup {name} in {self.directory}; {known}")
        return self.directory / name

    def create(self, name: str) -> Path:
        """Return the new folder of a backup; what interrupted ones left is removed."""
        for folder in self.directory.glob("*T*Z"):
            if not (folder / MANIFEST).exists():
                shutil.rmtree(folder)
        folder = self.directory / name
        folder.mkdir(mode=0o700)
        return folder

    def passed_drill(self, name: str) -> bool:
        """Return whether a backup passed a drill."""
        return (self.directory / name / _DRILL).exists()

    def record_drill(self, name: str, result: Mapping[str, Any]) -> None:
        """Record that a backup passed a drill."""
        replace_file(self.directory / name / _DRILL, json.dumps(result, indent=1).encode())

    def prune(self, keep: int) -> list[str]:
        """Remove all but the newest `keep` backups, each only if a newer one passed a drill. Return the removed ones."""
        names = self.names()
        removed = [name for at, name in enumerate(names) if at >= keep and any(map(self.passed_drill, names[:at]))]
        for name in removed:
            # Without its manifest it is no backup, however far the removal gets.
            (self.directory / name / MANIFEST).unlink()
            shutil.rmtree(self.directory / name)
        return removed
