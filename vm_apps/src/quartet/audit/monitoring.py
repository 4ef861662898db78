"""Asks the Prometheus of this VM, where there is one, and systemd. What nobody knows is None, never 0."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_ADDRESS: Final = "127.0.0.1:9090"
_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Monitoring:
    """What is known beside the offsets: seconds of lag by consumer group, states by unit, firing alerts (None: nobody evaluates them)."""

    lag_seconds: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    alerts: Sequence[str] | None = None


def read_monitoring(units: Sequence[str], address: str = _ADDRESS) -> Monitoring:
    """Ask Prometheus; where it does not answer, only the units of this VM are known.

    Args:
        units: names of units; an @ at the end stands for every instance.
        address: of Prometheus.
    """
    try:
        lags = {labels["consumergroup"]: value for labels, value in _query("quartet_consumer_lag_seconds", address)}
        active = _query('node_systemd_unit_state{state="active"}', address)
        alerts = _firing(_ask("alerts", address)["alerts"])
    except (OSError, ValueError, KeyError):
        return Monitoring(units=_local_units(units))
    states: dict[str, list[bool]] = {}
    for labels, value in active:
        name = labels["name"].removesuffix(".service")
        for unit in units:
            if name == unit or (unit.endswith("@") and name.startswith(unit)):
                states.setdefault(unit, []).append(value == 1)
    return Monitoring(lags, {unit: _of_many(found) for unit, found in states.items()}, alerts)


def _of_many(active: Sequence[bool]) -> str:
    """Return the state of a unit, or of the instances of it on all VMs."""
    return ("active" if active[0] else "down") if len(active) == 1 else f"{sum(active)} of {len(active)} active"


def _firing(alerts: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [row for row in alerts if row["state"] == "firing" and row["labels"]["severity"] != "none"]
    return [f"{row['labels']['severity']} {row['labels']['alertname']}: {row['annotations']['summary']}" for row in rows]


def _ask(what: str, address: str) -> Any:
    with urllib.request.urlopen(f"http://{address}/api/v1/{what}", timeout=_SECONDS) as answer:
        return json.load(answer)["data"]


def _query(expression: str, address: str) -> list[tuple[dict[str, str], float]]:
    found = _ask(f"query?{urllib.parse.urlencode({'query': expression})}", address)["result"]
    return [(row["metric"], float(row["value"][1])) for row in found]


def _local_units(units: Sequence[str]) -> dict[str, str]:
    """Return the states of those units that are on this VM."""
    patterns = [f"{unit}*" if unit.endswith("@") else unit for unit in units]
    command = ["systemctl", "show", "--property=Id,LoadState,ActiveState", *patterns]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS).stdout  # noqa: S603 (our own units)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    states: dict[str, list[bool]] = {}
    for block in shown.strip().split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        name = properties.get("Id", "").removesuffix(".service")
        for unit in units:
            if properties.get("LoadState") == "loaded" and (name == unit or (unit.endswith("@") and name.startswith(unit))):
                states.setdefault(unit, []).append(properties["ActiveState"] == "active")
    return {unit: _of_many(found) for unit, found in states.items()}
