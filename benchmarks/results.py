"""What a measure returns: rows with a goal, the medians that they are judged by, and the table that docs/performance.md shows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

ROOT: Final = Path(__file__).resolve().parents[1]
KEPT: Final = ROOT / "docs/performance.json"
PAGE: Final = ROOT / "docs/performance.md"
#: Between these the page's table is written
BEGIN: Final = "<!-- table: begin -->"
END: Final = "<!-- table: end -->"


@dataclass(frozen=True, slots=True)
class Goal:
    """What the median shall be. `unit` is printed behind the numbers: '' for a ratio."""

    sign: Literal["<=", ">=", "<", "="]
    value: float
    unit: str = ""

    def met_by(self, value: float) -> bool:
        """Say whether a value is good enough."""
        return {"<=": value <= self.value, ">=": value >= self.value, "<": value < self.value, "=": value == self.value}[self.sign]

    def __str__(self) -> str:
        return f"{self.sign} {number(self.value)}{self.unit}"


@dataclass(frozen=True, slots=True)
class Row:
    """One judged number: a value a round, and both sides that it was made of, as `{"service images/s": [a value a round]}`."""

    measure: str
    what: str
    goal: Goal
    values: Sequence[float]
    sides: Mapping[str, Sequence[float]] = field(default_factory=dict)
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the median meets the goal."""
        return self.goal.met_by(median(self.values))

    @property
    def got(self) -> str:
        """The median, and the range of the rounds."""
        return f"{number(median(self.values))}{self.goal.unit} ({span(self.values)})"


def ratios(ours: Sequence[float], raw: Sequence[float]) -> list[float]:
    """Return the ratio of each round: its two sides ran one after the other, so what disturbs the machine disturbs both."""
    return [one / other for one, other in zip(ours, raw, strict=True)]


def number(value: float) -> str:
    """Return a number with three significant digits and no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def span(values: Sequence[float]) -> str:
    """Return the range of the rounds and how many there were."""
    rounds = f"{len(values)} round{'s' if len(values) > 1 else ''}"
    return rounds if len(values) == 1 else f"{number(min(values))} to {number(max(values))}, {rounds}"


def machine() -> str:
    """Return what everything ran on: the lab's VMs share the host's cores."""
    model = next((line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown CPU")
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return f"{os.cpu_count()} cores, {model}, {memory / 2**20:.0f} GiB"


def show(rows: Iterable[Row]) -> None:
    """Print rows for people."""
    for row in rows:
        print(f"\n{row.measure}: {row.what}\n  goal {row.goal}   got {row.got}   {'met' if row.met else 'NOT MET'}")
        for name, values in row.sides.items():
            print(f"  {name}: {number(median(values))} ({span(values)})")
        if row.note:
            print(f"  {row.note}")


def keep(rows: Sequence[Row], server: str) -> None:
    """Put rows into docs/performance.json, in the place of older ones of the same name, and write the page's table anew."""
    kept: dict[str, dict[str, Any]] = {_name(entry): entry for entry in (json.loads(KEPT.read_text()) if KEPT.exists() else [])}
    for row in rows:
        entry = {
            **asdict(row),
            "goal": str(row.goal),
            "got": row.got,
            "met": row.met,
            "machine": machine(),
            "server": server,
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        }
        kept[_name(entry)] = entry
    KEPT.write_text(json.dumps(list(kept.values()), indent=1) + "\n")
    page = PAGE.read_text()
    before, rest = page.split(BEGIN, 1)
    PAGE.write_text(f"{before}{BEGIN}\n{table(kept.values())}{END}{rest.split(END, 1)[1]}")


def table(entries: Iterable[Mapping[str, Any]]) -> str:
    """Return kept rows as a table in Markdown."""
    lines = ["| measure | what | goal | got: median (range) | both sides | machine, server, day |", "|---|---|---|---|---|---|"]
    for entry in entries:
        sides = "; ".join(f"{name} {number(median(values))}" for name, values in entry["sides"].items())
        note = f" {entry['note']}" if entry["note"] else ""
        where = f"{entry['machine']}; {entry['server']}; {entry['date']}"
        verdict = "" if entry["met"] else "**not met:** "
        lines.append(f"| {entry['measure']} | {entry['what']}.{note} | {entry['goal']} | {verdict}{entry['got']} | {sides} | {where} |")
    return "\n".join(lines) + "\n"


def _name(entry: Mapping[str, Any]) -> str:
    return f"{entry['measure']}: {entry['what']}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
