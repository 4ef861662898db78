"""Builds the archive of code for Spark's Python workers: the apps' contracts and counting, and the given modules of the jobs."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import quartet.contracts
import quartet.counting

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType


def make(modules: Iterable[ModuleType]) -> str:
    """Create the archive and return its path."""
    path = Path(tempfile.mkdtemp(prefix="quartet-"), "quartet_jobs.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("quartet", "quartet_spark"):
            archive.writestr(f"{name}/__init__.py", "")
        for package in (quartet.contracts, quartet.counting):
            for file in sorted(Path(*package.__path__).glob("*.py")):
                archive.write(file, f"{package.__name__.replace('.', '/')}/{file.name}")
        for module in modules:
            archive.write(str(module.__file__), f"{module.__name__.replace('.', '/')}.py")
    return str(path)
