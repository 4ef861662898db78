"""docs/metrics.md: every metric that Quartet serves, made from the declarations in the code.

python tests/metric_table.py            say whether the page is stale
python tests/metric_table.py --write    update it
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "vm_apps/src"), str(ROOT / "spark/src")]

from prometheus_client import CollectorRegistry  # noqa: E402
from prometheus_client.metrics import MetricWrapperBase  # noqa: E402
from quartet.exporter import names  # noqa: E402
from quartet.exporter.family import Family  # noqa: E402
from quartet.runtime import metrics, textfile  # noqa: E402
from quartet_spark import stream_metrics  # noqa: E402

PAGE = ROOT / "docs/metrics.md"
MARKED = re.compile(r"(?<=<!-- metrics -->\n).*?(?=<!-- /metrics -->)", re.DOTALL)


class Declared(NamedTuple):
    """A metric as it is declared."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def _of_library(values: Iterable[Any]) -> Iterator[Declared]:
    for value in values:
        if isinstance(value, MetricWrapperBase):
            (family,) = value.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield Declared(name, family.type, tuple(value._labelnames), family.documentation)


def _of_textfiles() -> Iterator[Declared]:
    for verb in textfile.VERBS:
        registry = CollectorRegistry()
        more = ("duration_seconds", "bytes") if verb in ("backup", "restore_drill") else ("duration_seconds",) if verb == "batch" else ()
        textfile.declare(verb, registry, dict.fromkeys(more, 0.0))
        yield from (Declared(family.name, family.type, (), family.documentation) for family in registry.collect())
    yield from (Declared(name, "gauge", labels, meaning) for name, labels, meaning in textfile.WRITTEN_BY_ROLES)


def declared() -> dict[str, list[Declared]]:
    """Return every metric by where it is served."""
    exporter = [value for value in vars(names).values() if isinstance(value, Family)]
    shared = {"quartet_build_info", "quartet_variant_info", "quartet_watchdog_age_seconds"}
    stream = _of_library(vars(stream_metrics).values())
    return {
        "The apps (jobs `producer`, `db_consumer`, `inference`; a part of them also `exporter`)": list(_of_library(vars(metrics).values())),
        "The driver of Spark's stream (job `spark_stream`)": [row for row in stream if row.name not in shared],
        "Kafka, the counts and the database (job `exporter`)": [Declared(f.name, f.kind, f.labels, f.meaning) for f in exporter],
        "Text files of node exporter (job `node`)": list(_of_textfiles()),
    }


def tables() -> str:
    """Return the page's tables."""
    lines = []
    for heading, rows in declared().items():
        lines += [f"## {heading}", "", "| metric | type | labels | meaning |", "|---|---|---|---|"]
        lines += [f"| `{row.name}` | {row.kind} | {', '.join(row.labels)} | {row.meaning} |" for row in rows]
        lines.append("")
    return "\n".join(lines)


def page() -> str:
    """Return the page as it should be."""
    return MARKED.sub(lambda _: tables(), PAGE.read_text())


def main() -> int:
    """Compare, or write."""
    if page() == PAGE.read_text():
        return 0
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
        return 0
    print("docs/metrics.md is stale: run tests/metric_table.py --write")
    return 1


if __name__ == "__main__":
    sys.exit(main())
