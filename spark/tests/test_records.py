"""Spark's filter of the topic, tested with the same golden corpus as the Python validation."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pandas as pd
from quartet_spark import records

ROWS = [
    row for row in json.loads((Path(__file__).parents[2] / "vm_apps/tests/corpus/records.json").read_text()) if row["topic"] == "inferences"
]
MODEL = "0123456789ab"


def content(row: dict[str, Any], name: str) -> bytes | None:
    return None if row[name] is None else base64.b64decode(row[name])


def frame(rows: list[dict[str, Any]]) -> Any:
    return pd.DataFrame(
        {
            "key": [content(row, "key") for row in rows],
            "value": [content(row, "value") for row in rows],
            "partition": [0] * len(rows),
            "offset": list(range(len(rows))),
        }
    )


def test_exactly_the_valid_records_pass() -> None:
    good = [offset for offset, row in enumerate(ROWS) if row["valid"]]
    kept = records.decode_frame(frame(ROWS), MODEL)
    assert kept["offset"].tolist() == good
    assert list(kept.columns) == [column.split()[0] for column in records.SCHEMA.split(", ")]


def test_another_models_inferences_do_not_pass() -> None:
    assert records.decode_frame(frame(ROWS), "ffffffffffff").empty
