"""What make status shows of the alerts: critical ones first, each with its action; and that it does not know, where Prometheus does not answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from role_modules import load_file

LINES = load_file(Path(__file__).resolve().parents[2] / "playbooks/filter_plugins/alert_lines.py", "alert_lines")


def alert(name: str, severity: str, state: str = "firing") -> dict[str, Any]:
    annotations = {"summary": f"{name} is wrong", "action": f"Mend {name}.", "paragraph": f"docs/operations.md#{name.lower()}"}
    labels = {"alertname": name, "severity": severity}
    return {"labels": labels, "annotations": annotations, "state": state, "activeAt": "2026-11-30T22:30:01.02394004Z", "value": "1e+00"}


def answer(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {"json": {"status": "success", "data": {"alerts": list(alerts)}}, "status": 200}


def test_firing_alerts_and_what_to_do() -> None:
    found = LINES.alert_lines(
        answer(alert("DiskFills", "warning"), alert("UnitDown", "critical"), alert("StreamStale", "warning", "pending"))
    )
    assert found == [
        "critical  UnitDown, since 2026-11-30 22:30:01 UTC: UnitDown is wrong",
        "          Mend UnitDown. (docs/operations.md#unitdown)",
        "warning   DiskFills, since 2026-11-30 22:30:01 UTC: DiskFills is wrong",
        "          Mend DiskFills. (docs/operations.md#diskfills)",
    ]


def test_none_is_said_only_by_prometheus() -> None:
    assert LINES.alert_lines(answer(alert("Watchdog", "none"))) == ["alerts       none"]
    for silent in ({}, {"status": -1, "msg": "Connection refused"}, {"status": 503, "json": {"status": "error"}}):
        (line,) = LINES.alert_lines(silent)
        assert line.startswith("alerts       unknown: Prometheus on the monitor host does not answer (")
    assert "Connection refused" in LINES.alert_lines({"status": -1, "msg": "Connection refused"})[0]
