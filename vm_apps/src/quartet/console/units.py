"""The states of the systemd units, as node exporter reports them, and what each means for the pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from quartet.console.prometheus_api import Sample

#: Units that rest when their work is done: finished producers, jobs that a timer starts
_MAY_REST: Final = re.compile(r"quartet-producer@|quartet-spark-batch|quartet-backup|quartet-restore-drill")
#: The units of each stage of the strip
STAGES: Final = {
    "producer": re.compile(r"quartet-producer@"),
    "kafka": re.compile(r"kafka\.service"),
    "inference": re.compile(r"quartet-inference"),
    "database": re.compile(r"mongod|quartet-db-consumer@"),
    "spark": re.compile(r"spark-(master|worker)|quartet-spark-stream"),
}
_ORDER: Final = ("down", "changing", "up", "resting")
_TIMERS: Final = (".timer", ".socket", ".target")


def unit_rows(samples: Iterable[Sample]) -> list[dict[str, str]]:
    """Return a row for each unit, the troubled ones first. `level`: up, changing, down or resting."""
    rows = [
        {
            "name": sample.labels.get("name", "").removesuffix(".service"),
            "host": sample.labels.get("host") or sample.labels.get("instance", "").rpartition(":")[0],
            "state": sample.labels.get("state", ""),
            "level": level(sample.labels.get("name", ""), sample.labels.get("state", "")),
        }
        for sample in samples
        if not sample.labels.get("name", "").endswith(_TIMERS)
    ]
    return sorted(rows, key=lambda row: (_ORDER.index(row["level"]), row["host"], row["name"]))


def level(name: str, state: str) -> str:
    """Return what a unit's state means."""
    if state == "active":
        return "up"
    if state in ("activating", "deactivating", "reloading"):
        return "resting" if state != "reloading" and re.search(r"spark-batch|backup|restore-drill", name) else "changing"
    return "resting" if state == "inactive" and _MAY_REST.search(name) else "down"


def stage_units(stage: str, rows: Sequence[dict[str, str]]) -> dict[str, str] | None:
    """Return the worst level among a stage's units and a line about them; None if there is none."""
    own = [row for row in rows if STAGES[stage].match(row["name"] + ".service")]
    if not own:
        return None
    troubled = [row for row in own if row["level"] in ("down", "changing")]
    if troubled:
        return {"level": troubled[0]["level"], "text": ", ".join(f"{row['name']} {row['state']}" for row in troubled)}
    active = sum(row["level"] == "up" for row in own)
    if not active:
        return {"level": "resting", "text": "finished"}
    return {"level": "up", "text": f"{active} of {len(own)} active" if len(own) > 1 else "active"}
