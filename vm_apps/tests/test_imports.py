"""Imports point one way and form no cycle, so a package can be read without those above it; a package's `__init__` defines nothing."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
#: The layers of packages from the bottom up. A package imports from itself and from lower layers, not from its own layer.
LAYERS = (
    ("runtime",),
    ("contracts",),
    ("counting", "datasets"),
    ("kafka", "mongodb"),
    ("worker",),
    ("producer", "db_consumer", "inference", "audit", "backup", "exporter", "console"),
    ("cli",),
)
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}


def imported(file: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from ("." * node.level + f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def violations(source: Path) -> Iterator[str]:
    """Yield the violations of the layering in the package `quartet` of a source folder."""
    files = {".".join(file.relative_to(source).with_suffix("").parts): file for file in (source / "quartet").rglob("*.py")}
    graph = {}
    for module, file in files.items():
        names = set(imported(file))
        graph[module] = {".".join(name.split(".")[:depth]) for name in names for depth in range(2, 6)} & files.keys() - {module}
        if file.name == "__init__.py":
            if [node for node in ast.parse(file.read_text()).body if not isinstance(node, ast.Expr)]:
                yield f"{module} defines or imports something"
            continue
        package = module.split(".")[1]
        for name in names:
            top, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if name.startswith(".") or (top == "quartet" and other != package and LAYER.get(other, 99) >= LAYER[package]):
                yield f"{module} imports {name}"
            if package in ("contracts", "counting") and top != "quartet" and top not in sys.stdlib_module_names:
                yield f"{module} imports {name}, which Spark's executors do not have"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield f"an import cycle: {' -> '.join(error.args[1])}"


def test_imports_point_one_way() -> None:
    assert list(violations(SOURCE)) == []


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("kafka/group.py", "from quartet.worker.loop import Worker", "quartet.kafka.group imports quartet.worker.loop.Worker"),
        ("mongodb/client.py", "import quartet.kafka.client", "quartet.mongodb.client imports quartet.kafka.client"),
        ("runtime/errors.py", "def f():\n    from quartet import cli", "quartet.runtime.errors imports quartet.cli"),
        ("audit/trace.py", "from .reader import Auditor", "quartet.audit.trace imports .reader.Auditor"),
        ("counting/totals.py", "import numpy", "quartet.counting.totals imports numpy, which Spark's executors do not have"),
        ("datasets/__init__.py", "Pixels = bytes", "quartet.datasets.__init__ defines or imports something"),
        ("inference/model.py", "from quartet.inference import model_check", "an import cycle: "),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, file: str, text: str, expected: str) -> None:
    for name, content in {"inference/model_check.py": "from quartet.inference.model import read", file: text}.items():
        (tmp_path / "quartet" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "quartet" / name).write_text(content)
    [found] = violations(tmp_path)
    assert found.startswith(expected)
