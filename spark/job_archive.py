"""The code that Spark's Python workers get: of the package only what the contract and the count need, and the jobs' own modules."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import quartet.contracts
import quartet.counting
import quartet.strict_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType


def make(modules: Iterable[ModuleType]) -> str:
    """Return a new archive's path."""
    path = Path(tempfile.mkdtemp(prefix="quartet-"), "quartet_jobs.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("quartet/__init__.py", "")
        for module in (quartet.contracts, quartet.counting, quartet.strict_json, *modules):
            archive.write(str(module.__file__), module.__name__.replace(".", "/") + ".py")
    return str(path)
