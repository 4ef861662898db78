"""What is scraped: every part that serves metrics, at the ports of the roles' settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from computed import computed
from role_modules import load_file

ROOT = Path(__file__).resolve().parents[2]


def test_the_targets_of_the_lab() -> None:
    (targets,) = {str(rows): rows for rows in computed("lab", "quartet_scrape_targets").values()}.values()
    assert {(row["job"], row["host"], row["target"]) for row in targets} == {
        ("producer", "vm3", "10.77.0.13:9301"),
        ("producer", "vm3", "10.77.0.13:9302"),
        ("db_consumer", "vm2", "10.77.0.12:9211"),
        ("db_consumer", "vm2", "10.77.0.12:9212"),
        ("inference", "vm4", "10.77.0.14:9221"),
        ("spark_stream", "vm2", "10.77.0.12:9240"),
        ("exporter", "vm2", "10.77.0.12:9230"),
        *(("node", f"vm{number}", f"10.77.0.1{number}:9100") for number in (1, 2, 3, 4)),
    }


def test_the_ports_are_those_of_the_roles() -> None:
    def variables(role: str) -> Any:
        return yaml.safe_load((ROOT / f"roles/{role}/vars/main.yml").read_text())

    ports = {
        job: set(numbers)
        for job, (_, numbers) in load_file(ROOT / "playbooks/filter_plugins/scrape_targets.py", "scrape_targets").PORTS.items()
    }
    consumers = variables("db_consumer")["_db_consumer_instances"]
    assert all(any(f"'metrics_port': {port}" in row["settings"] for row in consumers) for port in ports["db_consumer"])
    assert ports["inference"] == {variables("inference")["_inference_instances"][0]["settings"]["metrics_port"]}
    assert ports["spark_stream"] == {variables("spark_jobs")["_spark_jobs_stream"]["metrics_port"]}
    assert ports["exporter"] == {variables("exporter")["_exporter_instances"][0]["settings"]["metrics_port"]}
    assert ports["node"] == {yaml.safe_load((ROOT / "roles/node_exporter/defaults/main.yml").read_text())["node_exporter_port"]}


def test_producers_have_the_ports_of_their_settings() -> None:
    rows = [{"id": 1}, {"id": 2, "metrics_port": 9400}, {"id": 3}]
    instances = load_file(ROOT / "roles/producer/filter_plugins/producer_instances.py", "producer_instances").producer_instances(
        rows, {}, "glyphs", None, "first"
    )
    targets = load_file(ROOT / "playbooks/filter_plugins/scrape_targets.py", "scrape_targets").scrape_targets(
        {"h": "192.0.2.1"}, {}, {"h": rows}
    )
    assert [row["target"] for row in targets] == [f"192.0.2.1:{instance['settings']['metrics_port']}" for instance in instances]
