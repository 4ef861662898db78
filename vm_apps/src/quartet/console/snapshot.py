"""Builds what the page shows from what was read. A tile is {at, why, ...}; an unknown value is None, never 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from quartet.console import questions
from quartet.console.readings import Reading, Readings
from quartet.console.units import stage_units, unit_rows
from quartet.runtime.settings import Groups

STAGES: Final = ("producer", "kafka", "inference", "database", "spark")
_RATES: Final = {"producer": "sent", "kafka": "appended", "inference": "inferred", "database": "stored", "spark": "counted"}
#: Figures of another source are left out of a tile when they are older than this
_OLD_SECONDS: Final = 10.0
_SEVERITIES: Final = ("critical", "warning")


def tiles(readings: Readings, groups: Groups, now: float) -> dict[str, Any]:
    """Return every tile but the wall and the charts. `now`: seconds since the epoch, by which the page knows the ages."""
    metrics = readings.get("metrics")
    rows = unit_rows(metrics.value.get("unit", ())) if metrics.value else None
    return {
        "now": now,
        "stages": _tile(metrics, "rows", _stages(metrics, rows, readings.get("tail"), groups, now)),
        "producers": _tile(readings.get("stored"), "rows", _producers(readings, now)),
        "units": _tile(metrics, "rows", rows),
        "alerts": _tile(readings.get("alerts"), "rows", _alerts(readings.get("alerts").value)),
        "about": _about(readings),
        "tail": _tile(readings.get("tail"), "rate", (readings.get("tail").value or {}).get("rate")),
        "images": _tile(readings.get("images"), "late", readings.get("images").value),
    }


def charts(readings: Readings) -> dict[str, Any]:
    """Return the charts."""
    found = readings.get("charts")
    return {"at": found.at, "why": found.why, **(found.value or {})}


def _tile(reading: Reading, name: str, value: Any) -> dict[str, Any]:
    return {"at": reading.at, "why": reading.why, name: value}


def _stages(metrics: Reading, units: Sequence[dict[str, str]] | None, tail: Reading, groups: Groups, now: float) -> list[dict[str, Any]]:
    found = metrics.value or {}
    behind = questions.by_label(found.get("behind", ()), "consumergroup")
    unread = questions.by_label(found.get("unread", ()), "consumergroup")
    groups_of = questions.readers(groups)
    rows = []
    for stage in STAGES:
        own = groups_of.get(stage, ())
        rate = _single(found, _RATES[stage])
        source = metrics
        if stage == "inference" and rate is None and tail.value and tail.at is not None and now - tail.at <= _OLD_SECONDS:
            # without Prometheus the growth of the topic tells it
            rate, source = tail.value["rate"], tail
        rows.append(
            {
                "stage": stage,
                "at": source.at,
                "why": source.why,
                "rate": rate,
                "behind": max((behind[group] for group in own if group in behind), default=None),
                "unread": sum(unread[group] for group in own) if own and all(group in unread for group in own) else None,
                "units": stage_units(stage, units) if units is not None else None,
            }
        )
    rows[1] |= {"brokers": _single(found, "brokers"), "under_replicated": _single(found, "under_replicated")}
    return rows


def _single(found: Mapping[str, Any], question: str) -> float | None:
    samples = found.get(question, ())
    return samples[0].value if samples else None


def _producers(readings: Readings, now: float) -> list[dict[str, Any]] | None:
    stored, results, metrics = readings.get("stored"), readings.get("results"), readings.get("metrics")
    if stored.value is None and results.value is None:
        return None
    counted = results.value or {"stream": {}, "batch": {}}
    fresh = metrics.value if metrics.at is not None and now - metrics.at <= _OLD_SECONDS else None
    sent = questions.by_label((fresh or {}).get("sent_total", ()), "producer_id")
    numbers = {*(stored.value or {}), *counted["stream"], *counted["batch"], *(int(name) for name in sent if name.isdecimal())}
    return [_producer(number, sent, stored.value, counted) for number in sorted(numbers)]


def _producer(number: int, sent: Mapping[str, float], stored: Mapping[int, Any] | None, counted: Mapping[str, Any]) -> dict[str, Any]:
    own = stored.get(number, {"stored": 0, "inferred": 0}) if stored is not None else None
    stream, batch = counted["stream"].get(number), counted["batch"].get(number)
    best = stream or batch
    return {
        "id": number,
        "sent": int(sent[str(number)]) if str(number) in sent else None,
        "stored": own["stored"] if own else None,
        "inferred": own["inferred"] if own else None,
        "pending": max(0, own["stored"] - own["inferred"]) if own else None,
        "wrong_stream": stream["incorrect"] if stream else None,
        "wrong_batch": batch["incorrect"] if batch else None,
        "batch_at": batch["at"] if batch else None,
        "counted": best["total"] if best else None,
        "share": best["incorrect"] / best["total"] if best and best["total"] else None,
    }


def _alerts(found: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    if found is None:
        return None
    rows = [
        {
            "name": alert["labels"].get("alertname", ""),
            "severity": alert["labels"].get("severity", ""),
            "state": alert.get("state", ""),
            "about": ", ".join(
                f"{name} {value}"
                for name, value in sorted(alert["labels"].items())
                if name not in ("alertname", "severity", "job", "instance")
            ),
            "summary": alert.get("annotations", {}).get("summary", ""),
            "action": alert.get("annotations", {}).get("action", ""),
            "since": alert.get("activeAt", ""),
        }
        for alert in found
        if alert["labels"].get("alertname") != "Watchdog"
    ]
    rank = {severity: place for place, severity in enumerate(_SEVERITIES)}
    return sorted(rows, key=lambda row: (row["state"] != "firing", rank.get(row["severity"], 9), row["name"], row["about"]))


def _about(readings: Readings) -> dict[str, Any]:
    metrics = readings.get("metrics").value or {}
    return {
        "database": readings.get("server").value,
        "builds": sorted({f"{s.labels.get('app', '')} {s.labels.get('version', '')}" for s in metrics.get("build", ())}),
        "operations": sorted(s.labels.get("verb", "") for s in metrics.get("operation", ())),
    }
