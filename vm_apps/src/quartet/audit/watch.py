"""`quartet status --watch`: producer -> Kafka -> inference -> database -> Spark with rates, lags, unit states and alerts, every two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

from quartet.audit.evidence import uncounted, unread
from quartet.audit.monitoring import Monitoring, read_monitoring
from quartet.audit.reader import Auditor
from quartet.runtime.errors import ExitCode, Unavailable
from quartet.runtime.settings import AuditorSettings

_REFRESH_SECONDS: Final = 2.0
#: Counting the documents costs the database more than the rest: not at each refresh
_COUNT_SECONDS: Final = 10.0
_RATE_SECONDS: Final = 10.0
#: The steps in the order of the pipeline: name, what it reads, unit
_STEPS: Final = (
    ("producer", "", "quartet-producer@"),
    ("inference", "inference", "quartet-inference"),
    ("database images", "images", "quartet-db-consumer@images"),
    ("database inferences", "inferences", "quartet-db-consumer@inferences"),
    ("Spark stream", "stream", "quartet-spark-stream"),
)
_CLEAR: Final = "\x1b[H\x1b[J"
_UNKNOWN: Final = "-"


@dataclass(frozen=True)
class Look:
    """One look at the offsets. `at`: seconds; `sent`: records of the images' topic; `done`, `lag`: records by reader."""

    at: float
    sent: int
    done: Mapping[str, int]
    lag: Mapping[str, int]


@dataclass(frozen=True)
class Row:
    """A step as it is shown; None is unknown."""

    name: str
    rate: float | None
    lag: int | None
    seconds: float | None
    unit: str | None


def rows(looks: Sequence[Look], monitoring: Monitoring, groups: Mapping[str, str]) -> list[Row]:
    """Return the steps: rates from the first and the last look, the rest from the last. `groups`: consumer group by reader."""
    first, last = looks[0], looks[-1]
    elapsed = last.at - first.at

    def rate(before: int, after: int) -> float | None:
        return max(0, after - before) / elapsed if elapsed > 0 else None

    found = [Row(_STEPS[0][0], rate(first.sent, last.sent), None, None, monitoring.units.get(_STEPS[0][2]))]
    for name, reader, unit in _STEPS[1:]:
        seconds = monitoring.lag_seconds.get(groups[reader])
        found.append(Row(name, rate(first.done[reader], last.done[reader]), last.lag[reader], seconds, monitoring.units.get(unit)))
    return found


def _number(value: float | None, unit: str = "") -> str:
    return _UNKNOWN if value is None else f"{value:,.0f}{unit}"


def screen(steps: Sequence[Row], pending: int | None, alerts: Sequence[str] | None, clock: str) -> list[str]:
    """Format a look as the lines of a terminal."""
    lines = [
        f"{clock}   producer -> Kafka -> inference -> database -> Spark   (Ctrl-C ends)",
        "",
        f"{'step':<22}{'rate':>10}{'lag':>14}{'lag in time':>14}   unit",
    ]
    lines += [
        f"{row.name:<22}{_number(row.rate, '/s'):>10}{_number(row.lag):>14}{_number(row.seconds, ' s'):>14}   {row.unit or _UNKNOWN}"
        for row in steps
    ]
    lines += ["", f"pending   {_number(pending)} images are stored and not classified yet"]
    if alerts is None:
        return [*lines, f"alerts    {_UNKNOWN}"]
    return [*lines, *(f"alerts    {alert}" for alert in alerts or ["none"])]


def line(steps: Sequence[Row], pending: int | None, alerts: Sequence[str] | None, clock: str) -> str:
    """Format a look as one line, for a file or a pipe."""
    parts = [
        f"{row.name} {_number(row.rate, '/s')} lag {_number(row.lag)} ({_number(row.seconds, ' s')}) {row.unit or _UNKNOWN}"
        for row in steps[1:]
    ]
    told = _UNKNOWN if alerts is None else ", ".join(alert.partition(":")[0] for alert in alerts) or "none"
    return "; ".join([f"{clock} sent {_number(steps[0].rate, '/s')}", *parts, f"pending {_number(pending)}", f"alerts {told}"])


def look(auditor: Auditor) -> Look:
    """Query the servers. Commits are read before end offsets, so no lag is shown smaller than it is."""
    topics = auditor.settings.topics
    committed, stream = auditor.committed(), auditor.stream()
    ranges = auditor.ranges(topics.images, topics.inferences)
    images, inferences = ranges[topics.images], ranges[topics.inferences]
    lag = {
        "images": unread(images, committed.get("images", {})),
        "inference": unread(images, committed.get("inference", {})),
        "inferences": unread(inferences, committed.get("inferences", {})),
        "stream": uncounted(inferences, stream),
    }
    sent, inferred = sum(images.end.values()), sum(inferences.end.values())
    ends = {"images": sent, "inference": sent, "inferences": inferred, "stream": inferred}
    return Look(time.monotonic(), sent, {reader: ends[reader] - n for reader, n in lag.items()}, lag)


def run(settings: AuditorSettings, output: TextIO = sys.stdout) -> int:
    """Show a look every two seconds until Ctrl-C; plain lines where the output is no terminal."""
    auditor = Auditor(settings)
    groups = {**{name: getattr(settings.groups, name) for name in ("images", "inferences", "inference")}, "stream": "spark-stream"}
    looks: list[Look] = []
    pending: int | None = None
    counted_at = float("-inf")
    try:
        while True:
            begin = time.monotonic()
            clock = time.strftime("%H:%M:%S")
            try:
                looks = [each for each in looks if begin - each.at < _RATE_SECONDS] + [look(auditor)]
                if begin - counted_at > _COUNT_SECONDS:
                    counts = auditor.counts()
                    pending, counted_at = max(0, counts["images"] - counts["inferences"]), begin
                monitoring = read_monitoring([unit for *_, unit in _STEPS])
                shown = rows(looks, monitoring, groups), pending, monitoring.alerts, clock
                text = _CLEAR + "\n".join(screen(*shown)) if output.isatty() else line(*shown)
            except Unavailable as error:
                looks, pending = [], None
                text = (_CLEAR if output.isatty() else "") + f"{clock} not known: {error}"
            print(text, file=output, flush=True)
            time.sleep(max(0.0, _REFRESH_SECONDS - (time.monotonic() - begin)))
    except KeyboardInterrupt:
        return ExitCode.OK
