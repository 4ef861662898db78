"""Grafana's dashboards in docs/grafana, generated from the tables below.

python tests/grafana_dashboards.py            say which files are stale
python tests/grafana_dashboards.py --write    update them

A panel is (title, unit, {legend: expression}). The datasource is a variable, so that a dashboard works with any Prometheus that has the metrics.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "docs/grafana"
_PER_ROW, _WIDTH, _HEIGHT = 2, 12, 8
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Panel = tuple[str, str, dict[str, str]]
PIPELINE: list[Panel] = [
    (
        "Throughput",
        "ops",
        {
            "sent by {{producer_id}}": "sum by (producer_id) (rate(quartet_producer_acknowledged_total[1m]))",
            "stored of {{topic}}": 'sum by (topic) (rate(quartet_records_total{outcome="stored"}[1m]))',
            "classified": "sum(rate(quartet_inferences_total[1m]))",
        },
    ),
    ("Lag in time", "s", {"{{consumergroup}} of {{topic}}": "quartet_consumer_lag_seconds"}),
    ("Lag in records", "short", {"{{consumergroup}} of {{topic}}": "sum by (consumergroup, topic) (kafka_consumergroup_lag)"}),
    ("Time until unread records are deleted", "s", {"{{consumergroup}}": "quartet_retention_left_seconds"}),
    (
        "Wrong predictions, the exact counts",
        "short",
        {"{{producer_id}} by {{source}}": "quartet_incorrect_images"},
    ),
    (
        "Share of wrong predictions in 30 minutes",
        "percentunit",
        {
            "{{producer_id}}": 'sum by (producer_id) (increase(quartet_inferences_total{correct="false"}[30m]))'
            ' / sum by (producer_id) (increase(quartet_inferences_total{correct=~"true|false"}[30m]))'
        },
    ),
    ("Difference between stream and batch", "short", {"{{producer_id}}": "quartet_stream_batch_difference"}),
    ("Pending images", "short", {"pending": "quartet_pending_images"}),
    (
        "From capture to the app, 95 of 100 images",
        "s",
        {"{{job}}": "histogram_quantile(0.95, sum by (job, le) (rate(quartet_end_to_end_seconds_bucket[5m])))"},
    ),
    (
        "Stages of a batch, 95 of 100",
        "s",
        {"{{app}} {{stage}}": "histogram_quantile(0.95, sum by (app, stage, le) (rate(quartet_stage_seconds_bucket[5m])))"},
    ),
    ("Dead letters per minute", "short", {"{{topic}}: {{cause}}": "sum by (topic, cause) (rate(quartet_dead_letters_total[5m])) * 60"}),
    ("Failed sends", "ops", {"{{producer_id}}": "sum by (producer_id) (rate(quartet_producer_failed_total[5m]))"}),
    ("Paused apps", "short", {"{{app}}: {{reason}}": "quartet_paused"}),
    ("Alerts that fire", "short", {"{{alertname}} {{host}}": 'ALERTS{alertstate="firing",severity!="none"}'}),
]
SERVERS: list[Panel] = [
    ("Brokers", "short", {"brokers": "kafka_brokers", "leader of the quorum": "quartet_kafka_quorum_leader"}),
    ("Records per second", "ops", {"{{topic}}": "sum by (topic) (rate(kafka_topic_partition_current_offset[1m]))"}),
    ("Copies in sync", "short", {"{{topic}}": "min by (topic) (kafka_topic_partition_in_sync_replica)"}),
    ("Members of the groups", "short", {"{{consumergroup}}": "kafka_consumergroup_members"}),
    ("Database answers", "short", {"up": "mongodb_up"}),
    ("Lag of the replica set's members", "s", {"{{name}}": "mongodb_mongod_replset_member_replication_lag"}),
    ("Units that do not run", "short", {"{{host}} {{name}}": 'node_systemd_unit_state{state="failed"} == 1'}),
    ("Restarts in an hour", "short", {"{{host}} {{name}}": "increase(node_systemd_service_restart_total[1h]) > 0"}),
    ("Processors in use", "percentunit", {"{{host}}": '1 - avg by (host) (rate(node_cpu_seconds_total{mode="idle"}[1m]))'}),
    ("Memory left", "bytes", {"{{host}}": "node_memory_MemAvailable_bytes"}),
    (
        "Disk left",
        "percentunit",
        {"{{host}} {{mountpoint}}": 'node_filesystem_avail_bytes{mountpoint!~"/(run|tmp|boot).*"} / node_filesystem_size_bytes'},
    ),
    ("Days until certificates end", "d", {"{{host}} {{name}}": "(quartet_certificate_not_after_timestamp_seconds - time()) / 86400"}),
    ("Hours since the last backup", "h", {"backup": "(time() - quartet_backup_last_success_timestamp_seconds) / 3600"}),
    ("Targets that are scraped", "short", {"{{job}}": "sum by (job) (up)"}),
]
DASHBOARDS = {"pipeline": ("Quartet: pipeline", PIPELINE), "servers": ("Quartet: servers and machines", SERVERS)}


def expressions() -> list[str]:
    """Return the expressions of all panels."""
    return [expression for _, panels in DASHBOARDS.values() for *_, targets in panels for expression in targets.values()]


def _panel(number: int, title: str, unit: str, targets: dict[str, str]) -> dict[str, Any]:
    row, column = divmod(number, _PER_ROW)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": _SOURCE,
        "gridPos": {"h": _HEIGHT, "w": _WIDTH, "x": column * _WIDTH, "y": row * _HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": None}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for place, (legend, expression) in enumerate(targets.items())
        ],
    }


def rendered(name: str) -> str:
    """Return the JSON of a dashboard."""
    title, panels = DASHBOARDS[name]
    variable = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0}
    dashboard = {
        "uid": f"quartet-{name}",
        "title": title,
        "tags": ["quartet"],
        "schemaVersion": 38,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": [_panel(number, *panel) for number, panel in enumerate(panels)],
    }
    return json.dumps(dashboard, indent=1) + "\n"


def stale(name: str, *, write: bool = False) -> bool:
    """Return whether a file differs from what is generated; update it if `write` is set."""
    file = FOLDER / f"{name}.json"
    differs = not file.exists() or file.read_text() != rendered(name)
    if differs and write:
        FOLDER.mkdir(exist_ok=True)
        file.write_text(rendered(name))
    return differs


if __name__ == "__main__":
    names = [name for name in DASHBOARDS if stale(name, write="--write" in sys.argv)]
    print("\n".join(names) or "all dashboards are right")
    sys.exit(bool(names) and "--write" not in sys.argv)
