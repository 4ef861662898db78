"""docs/metrics.md is what the code declares, and what is declared follows Prometheus' conventions."""

from __future__ import annotations

import re

import pytest
from metric_table import PAGE, Declared, declared, page

ROWS = [row for rows in declared().values() for row in rows]
#: Labels whose values are bounded: neither images, runs nor offsets
LABELS = {
    *("app", "version", "digest", "detail", "server", "producer_id", "topic", "outcome", "cause", "model", "correct", "reason", "stage"),
    *("sha12", "source", "partition", "consumergroup", "node", "broker", "path", "name", "verb", "mongodb", "state", "type", "set"),
}


def test_the_page_is_what_the_code_declares() -> None:
    assert page() == PAGE.read_text(), "run tests/metric_table.py --write"


def test_no_metric_is_declared_twice() -> None:
    names = [row.name for row in ROWS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_names_and_labels(row: Declared) -> None:
    assert re.fullmatch(r"(quartet|kafka|mongodb)_[a-z0-9_]+", row.name)
    assert (row.kind == "counter") == row.name.endswith("_total") or row.name == "quartet_kafka_log_dir_total_bytes"
    assert set(row.labels) <= LABELS
    assert row.meaning
