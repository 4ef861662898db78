"""Results of benchmarks: rows with a goal, judged by their median, and the table in docs/performance.md."""

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
#: Markers of the table in the page
BEGIN: Final = "<!-- table: begin -->"
END: Final = "<!-- table: end -->"


@dataclass(frozen=True, slots=True)
class Goal:
    """The goal for the median. `unit` is printed behind the numbers; '' for a ratio."""

    sign: Literal["<=", ">=", "<", "="]
    value: float
    unit: str = ""

    def met_by(self, value: float) -> bool:
        """Return whether a value meets the goal."""
        return {"<=": value <= self.value, ">=": value >= self.value, "<": value < self.value, "=": value == self.value}[self.sign]

    def __str__(self) -> str:
        return f"{self.sign} {number(self.value)}{self.unit}"


@dataclass(frozen=True, slots=True)
class Row:
    """A result: one value per round, and the measurements behind it, as `{"service images/s": [one value per round]}`."""

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
    """Return the ratio of each round. Its two sides ran one after the other, so a disturbance of the machine affects both."""
    return [one / other for one, other in zip(ours, raw, strict=True)]


def number(value: float) -> str:
    """Return a number with three significant digits and no exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def span(values: Sequence[float]) -> str:
    """Return the range and the number of rounds."""
    rounds = f"{len(values)} round{'s' if len(values) > 1 else ''}"
    return rounds if len(values) == 1 else f"{number(min(values))} to {number(max(values))}, {rounds}"


def machine() -> str:
    """Return cores, CPU and memory of the host, which the lab's VMs share."""
    model = next((line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown CPU")
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return f"{os.cpu_count()} cores, {model}, {memory / 2**20:.0f} GiB"


def show(rows: Iterable[Row]) -> None:
    """Print rows as text."""
    for row in rows:
        print(f"\n{row.measure}: {row.what}\n  goal {row.goal}   got {row.got}   {'met' if row.met else 'NOT MET'}")
        for name, values in row.sides.items():
            print(f"  {name}: {number(median(values))} ({span(values)})")
        if row.note:
            print(f"  {row.note}")


def summary(rows: Sequence[Row]) -> str:
    """Return all rows as one table of met and not met."""
    lines = [("met" if row.met else "NOT MET", f"{row.measure}: {row.what}", f"{row.goal}", row.got) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def keep(rows: Sequence[Row], server: str) -> None:
    """Store rows in docs/performance.json, replacing older ones of the same name, and update the table of the page."""
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
    """Return the stored rows as a Markdown table."""
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
