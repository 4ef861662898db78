"""The counts of each producer: as CSV, and as a table for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from quartet.audit.report.formats import Document, accuracy, count, verdict_line

_CSV_FIELDS: Final = (
    "producer_id",
    "sent",
    "acknowledged",
    "stored",
    "inferred",
    "pending",
    "refused",
    "batch_total",
    "batch_incorrect",
    "stream_total",
    "stream_incorrect",
    "recount_total",
    "recount_incorrect",
)


def as_csv(producers: Sequence[Document]) -> str:
    """Return one line per producer."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV_FIELDS)
    writer.writerows([row[name] for name in _CSV_FIELDS] for row in producers)
    return out.getvalue()


def as_text(verdict: Document) -> str:
    """Return the table for the terminal."""
    heads = ("producer", "images", "batch wrong", "stream wrong", "recount wrong", "accuracy")
    rows: list[tuple[str, ...]] = [heads]
    for row in verdict["producers"]:
        counts = (count(row[f"{name}_incorrect"]) for name in ("batch", "stream", "recount"))
        rows.append((str(row["producer_id"]), f"{row['recount_total']:,}", *counts, accuracy(row)))
    widths = [max(len(line[i]) for line in rows) for i in range(len(heads))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in rows]
    return "\n".join([*lines, verdict_line(verdict)])
