"""playbooks/validate.yml accepts the inventories that are shipped and refuses, by name, what cannot work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def validate(inventory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run validate.yml, which contacts no VM, against an inventory."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), "playbooks/validate.yml", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORKS": "2"},
    )


def message(result: subprocess.CompletedProcess[str]) -> str:
    """All that was printed, with the line breaks of Ansible's YAML output folded away."""
    return " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A copy of the example inventory with one VM, for a test to modify."""
    copy = tmp_path / "single"
    shutil.copytree(ROOT / "inventory/single", copy, ignore=shutil.ignore_patterns("secrets"))
    return copy


def change_hosts(inventory: Path, change: Any) -> None:
    file = inventory / "hosts.yml"
    content = yaml.safe_load(file.read_text())
    change(content["all"]["children"]["quartet"])
    file.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize("name", ["lab", "single", "cloud"])
def test_the_shipped_inventories_are_valid(name: str) -> None:
    result = validate(ROOT / "inventory" / name)
    assert result.returncode == 0, message(result)


def test_an_unknown_variable_is_named(inventory: Path) -> None:
    result = validate(inventory, "-e", "quartet_imag_topic=x", "-e", "kafka_hepa=1g")
    assert result.returncode != 0
    assert "Unknown variables: kafka_hepa, quartet_imag_topic" in message(result)


def test_a_removed_variable_is_refused_by_its_successor(inventory: Path) -> None:
    table = '{"_removed_variables": {"quartet_image_queue": "quartet_image_topic", "rabbit_port": "kafka_client_port", "kafka_gone": "x"}}'
    result = validate(inventory, "-e", table, "-e", "quartet_image_queue=x", "-e", "rabbit_port=1")
    assert result.returncode != 0
    assert "Removed variables: quartet_image_queue is now quartet_image_topic, rabbit_port is now kafka_client_port." in message(result)


def test_a_kind_of_monitoring_that_does_not_exist_is_refused(inventory: Path) -> None:
    result = validate(inventory, "-e", "quartet_monitoring=yes")
    assert result.returncode != 0
    assert "quartet_monitoring is 'yes'. Set it to none" in message(result)


def test_monitoring_without_a_monitor_is_valid(inventory: Path) -> None:
    """Scenarios of one role inherit the lab's variables; the summary warns."""
    change_hosts(inventory, lambda quartet: quartet["children"].pop("monitor"))
    result = validate(inventory, "-e", "quartet_monitoring=full")
    assert result.returncode == 0, message(result)


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "0.0.0.0", "2001:db8::7"])
def test_an_address_that_other_vms_cannot_use_is_refused(inventory: Path, address: str) -> None:
    change_hosts(inventory, lambda quartet: quartet["hosts"]["quartet1"].update(quartet_address=address))
    result = validate(inventory)
    assert result.returncode != 0
    assert f"quartet1 has quartet_address '{address}'" in message(result)


def brokers(inventory: Path, *ids: int | None) -> None:
    """Add a host with a broker for each of these node ids, or without one."""

    def add(quartet: Any) -> None:
        for number, node_id in enumerate(ids):
            quartet["hosts"][f"more{number}"] = {"ansible_host": f"192.0.2.{100 + number}"} | (
                {"kafka_node_id": node_id} if node_id else {}
            )
            quartet["children"]["kafka"]["hosts"][f"more{number}"] = {}

    change_hosts(inventory, add)


def test_a_second_broker_is_refused_by_name(inventory: Path) -> None:
    brokers(inventory, 2)
    result = validate(inventory)
    assert result.returncode != 0
    assert "Group 'kafka' has 2 hosts" in message(result)
    assert "1, 3, 5 are supported" in message(result)


def test_three_brokers_have_three_node_ids(inventory: Path) -> None:
    brokers(inventory, 9, None)
    result = validate(inventory)
    assert result.returncode != 0
    assert "have the node ids 9, 1, 1. Give each its own kafka_node_id" in message(result)


def test_three_brokers_are_accepted(inventory: Path) -> None:
    brokers(inventory, 9, 4)
    assert validate(inventory).returncode == 0


def test_a_missing_group_is_named(inventory: Path) -> None:
    change_hosts(inventory, lambda quartet: quartet["children"].pop("mongodb"))
    result = validate(inventory)
    assert result.returncode != 0
    assert "The inventory has hosts in group 'db_consumer' but none in 'mongodb'" in message(result)


def test_a_producer_id_used_twice_is_refused(inventory: Path) -> None:
    result = validate(inventory, "-e", '{"quartet_producers": [{"id": 101}, {"id": 101}]}')
    assert result.returncode != 0
    assert "quartet_producers must have a different whole number" in message(result)


def test_a_missing_model_is_named(inventory: Path) -> None:
    result = validate(inventory, "-e", "quartet_model_file=/nowhere/model.safetensors")
    assert result.returncode != 0
    assert "/nowhere/model.safetensors does not exist" in message(result)


def test_an_altered_model_is_refused(inventory: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"not the model")
    result = validate(inventory, "-e", f"quartet_model_file={model}")
    assert result.returncode != 0
    assert "but quartet_model_sha256 is" in message(result)
