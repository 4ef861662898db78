"""Formats numbers, times and the verdict for the report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Document = Mapping[str, Any]
"""A part of the output of `quartet verify --json`."""


def percent(incorrect: int | None, total: int | None) -> float:
    """Return the share in percent; 0 if it is unknown."""
    return 100 * incorrect / total if incorrect is not None and total else 0.0


def count(number: int | None) -> str:
    """Format a number with thousands separators."""
    return "-" if number is None else f"{number:,}"


def rate(per_second: float | None) -> str:
    """Format a rate with one decimal place."""
    return "-" if per_second is None else f"{per_second:,.1f}"


def duration(milliseconds: float | None) -> str:
    """Format a duration in milliseconds with its unit."""
    return "-" if milliseconds is None else f"{milliseconds:,.1f} ms"


def accuracy(row: Document) -> str:
    """Return the share of a producer's counted images that were classified correctly, by the recount."""
    total = row["recount_total"]
    return f"{1 - row['recount_incorrect'] / total:.3f}" if total else "-"


def moment(microseconds: int) -> str:
    """Format microseconds since the epoch as date and time, UTC."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def verdict_line(verdict: Document) -> str:
    """Return one line that says whether all rules hold."""
    if not verdict["holds"]:
        return "broken: " + ", ".join(str(rule["number"]) for rule in verdict["rules"] if rule["state"] == "broken")
    return "verified: stream = batch = recount" if verdict["drained"] else "holds so far; not everything has arrived yet"
