"""The table of parts names what is there: roles with the steps it says, and each group of the inventories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from computed import computed

ROOT = Path(__file__).resolve().parents[2]
TABLE = yaml.safe_load((ROOT / "playbooks/group_vars/quartet/parts.yml").read_text())
PARTS: list[dict[str, Any]] = TABLE["quartet_parts"]
GROUPS: list[dict[str, Any]] = [group for part in PARTS for group in part["groups"]]


def roles(inventory: str) -> dict[str, list[str]]:
    return computed(inventory, "quartet_parts_here | map(attribute='role')")


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part["role"])
def test_its_role_has_the_steps_of_its_row(part: dict[str, Any]) -> None:
    there = {path.stem for path in (ROOT / "roles" / part["role"] / "tasks").glob("*.yml")}
    steps = {"preflight", "install", "configure", "service", "health"}
    assert set(part["steps"]) <= there & steps
    assert part["kind"] in ("library", "server", "app")
    assert (part["kind"] == "library") == ("service" not in part["steps"])


def test_every_role_with_steps_is_a_part() -> None:
    ground = {"app", "base", "firewall", "pki", "secrets"}
    assert {path.name for path in (ROOT / "roles").iterdir()} - ground == {part["role"] for part in PARTS}


@pytest.mark.parametrize("inventory", ["lab", "single", "cloud"])
def test_the_groups_of_an_inventory_are_those_of_the_table(inventory: str) -> None:
    hosts = yaml.safe_load((ROOT / "inventory" / inventory / "hosts.yml").read_text())["all"]["children"]["quartet"]
    assert {*hosts["children"], "quartet"} == {group["name"] for group in GROUPS}


def test_a_group_belongs_to_a_part() -> None:
    assert {group["name"] for group in GROUPS if "memory" in group} == {group["name"] for group in GROUPS}
    assert all({"disk", "units"} <= group.keys() for group in GROUPS if "memory" in group)


def test_a_vm_has_the_parts_of_its_groups_in_the_order_of_the_table() -> None:
    assert roles("lab") == {
        "vm1": ["mongodb", "backup", "node_exporter"],
        "vm2": ["java", "spark", "db_consumer", "spark_jobs", "exporter", "node_exporter", "prometheus", "console"],
        "vm3": ["java", "kafka", "producer", "node_exporter"],
        "vm4": ["torch", "inference", "node_exporter"],
    }


def test_without_monitoring_its_parts_are_nowhere() -> None:
    assert roles("cloud")["vm2"] == ["java", "spark", "db_consumer", "spark_jobs"]
    watched = computed("cloud", "quartet_parts_here | map(attribute='role')", "-e", "quartet_monitoring=exporters")
    assert watched["vm2"] == ["java", "spark", "db_consumer", "spark_jobs", "exporter", "node_exporter"]
    assert computed("cloud", "quartet_parts_here | map(attribute='role')", "-e", "quartet_monitoring=full")["vm2"] == roles("lab")["vm2"]


def test_a_vm_must_have_what_its_parts_need_together() -> None:
    assert computed("lab", "base_minimum_memory_mb | int")["vm2"] == 400 + 300 + 300 + 1000 + 1200 + 150 + 50 + 300 + 200
    assert computed("lab", "base_minimum_disk_mb | int")["vm4"] == 3000 + 9000 + 50


def test_the_console_follows_the_monitoring_and_has_a_switch_of_its_own() -> None:
    here = "quartet_parts_here | map(attribute='role')"
    assert "console" not in roles("cloud")["vm2"]
    assert "console" in computed("cloud", here, "-e", "quartet_monitoring=full")["vm2"]
    assert "console" in computed("cloud", here, "-e", "quartet_console=true")["vm2"]
    assert "console" not in computed("cloud", here, "-e", "quartet_monitoring=full", "-e", "quartet_console=false")["vm2"]


def test_every_secret_that_a_part_is_given_is_drawn() -> None:
    files = [*(ROOT / "playbooks/group_vars").rglob("*.yml"), *(ROOT / "roles/secrets/tasks").glob("*.yml")]
    used = {word for path in files for word in _secrets_in(path.read_text())}
    drawn = {row["name"] for row in next(iter(computed("lab", "secrets_wanted").values()))}
    assert used == drawn


def _secrets_in(text: str) -> list[str]:
    return [part.split("}")[0].split()[0].rstrip(")") for part in text.split("secrets_values.")[1:] if not part.startswith("values(")]
