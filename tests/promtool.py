"""Debian's promtool, and the names of metrics in expressions of Prometheus."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FOREIGN = Path(__file__).with_name("foreign_metrics.txt")
_NOT_NAMES = re.compile(
    r'"[^"]*"|\'[^\']*\'|\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)|#.*'
    r"|\b(?:and|or|unless|offset|bool)\b"
)
_NAME = re.compile(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()")
_DECLARED = re.compile(r"""["']((?:quartet|kafka|mongodb)_[a-z0-9_{}]+)""")


@cache
def program() -> str:
    """Return the path of promtool, which lab/promtool fetches where it is not there yet."""
    return subprocess.check_output([ROOT / "lab/promtool"], text=True).strip()


def promtool(*words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    return subprocess.run([program(), *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def metric_names(expression: str) -> set[str]:
    """Return the names of the series that an expression selects."""
    quoted_first = re.sub(r'"[^"]*"', '""', expression)
    return set(_NAME.findall(_NOT_NAMES.sub(" ", quoted_first)))


def undeclared(names: Iterable[str]) -> list[str]:
    """Return the names that neither the code gives a metric nor others do on whom it relies; a part in braces of a declared name is any word."""
    sources = [*ROOT.glob("vm_apps/src/quartet/**/*.py"), *ROOT.glob("spark/src/**/*.py"), *ROOT.glob("playbooks/files/*.py")]
    sources += [path for path in ROOT.glob("roles/*/*/*") if path.parent.name in ("files", "templates") and path.is_file()]
    own = {name for path in sources for name in _DECLARED.findall(path.read_text(errors="replace"))}
    patterns = [re.compile(re.sub(r"\{.*?\}", "[a-z_]+", name)) for name in own]
    foreign = set(_FOREIGN.read_text().splitlines())
    # a histogram is declared by its own name
    plain = {name.removesuffix("_bucket") for name in names}
    return sorted(name for name in plain if name not in foreign and not any(pattern.fullmatch(name) for pattern in patterns))
