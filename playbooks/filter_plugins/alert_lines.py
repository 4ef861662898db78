"""The filter that makes lines for an operator of what Prometheus answers to /api/v1/alerts."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

_ORDER = {"critical": 0, "warning": 1}


def alert_lines(answer: Mapping[str, Any]) -> list[str]:
    """Return two lines per firing alert, critical ones first: what is wrong since when, and what to do. `answer` is a result of the module uri."""
    found = answer.get("json")
    if not found or found.get("status") != "success":
        cause = answer.get("msg") or "no answer"
        return [f"alerts       unknown: Prometheus on the monitor host does not answer ({cause}). journalctl -u prometheus there says why."]
    firing = [row for row in found["data"]["alerts"] if row["state"] == "firing" and row["labels"].get("severity") in _ORDER]
    firing.sort(key=lambda row: (_ORDER[row["labels"]["severity"]], row["labels"]["alertname"], row["activeAt"]))
    lines = [] if firing else ["alerts       none"]
    for row in firing:
        lines += [
            f"{row['labels']['severity']:<9} {row['labels']['alertname']}, since {_moment(row['activeAt'])}: {row['annotations']['summary']}",
            f"          {row['annotations']['action']} ({row['annotations']['paragraph']})",
        ]
    return lines


def _moment(text: str) -> str:
    """Return a time of Prometheus, which has nanoseconds, to the second."""
    return datetime.datetime.fromisoformat(text[:19]).strftime("%Y-%m-%d %H:%M:%S UTC")


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"alert_lines": alert_lines}
