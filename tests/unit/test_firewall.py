"""Four tables say who may connect to what, and agree: the derived rules, docs/security.md, the cloud inventory's comment, and the single VM."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from computed import computed
from port_table import NAMES, documented

ROOT = Path(__file__).resolve().parents[2]
# (to, port, from) with the names of VMs; what a VM may ask of itself goes by loopback and is in no table
Cell = tuple[str, str, str]


def rendered(inventory: str, *arguments: str) -> dict[str, dict[str, Any]]:
    """Let Ansible compute each host's firewall options from an inventory."""
    options = "{'rules': firewall_rules, 'port': firewall_ssh_port, 'ssh': firewall_ssh_clients, 'enabled': firewall_enabled, 'address': quartet_address}"
    return computed(inventory, options, *arguments)


def cells_of(hosts: dict[str, dict[str, Any]]) -> tuple[set[Cell], set[Cell]]:
    """Return the allowed cells between VMs, and those from addresses that are no VM's."""
    names = {found["address"]: host for host, found in hosts.items()}
    cells = {
        (host, port, names.get(source, source))
        for host, found in hosts.items()
        for row in found["rules"]
        for port in row["ports"]
        for source in row["from"]
    }
    inside = {cell for cell in cells if cell[2] in hosts}
    return {cell for cell in inside if cell[0] != cell[2]}, cells - inside


def test_the_page_has_the_derived_rules_of_the_lab() -> None:
    told = {
        (to, port, name)
        for (to, port), row in documented().items()
        if to in NAMES
        for name in NAMES
        if {"yes": True, "-": False, "itself": False}[row[name]]
    }
    allowed, outside = cells_of(rendered("lab"))
    assert allowed == told
    assert outside == {("vm3", "9093", "10.77.0.1"), ("vm2", "8443", "10.77.0.1")}


def test_the_page_has_a_row_for_every_open_port() -> None:
    hosts = rendered("lab")
    ports = {(host, port) for host, found in hosts.items() for row in found["rules"] for port in row["ports"]}
    assert ports | {("every VM", "22")} == documented().keys()
    assert all(row[to] == "itself" for (to, _), row in documented().items() if to in NAMES)


def test_the_cloud_inventory_has_the_same_table() -> None:
    rows = re.findall(r"^#   (all|vm\d) +(\d[\d-]*)\S* .* {2,}(\S.*)$", (ROOT / "inventory/cloud/hosts.yml").read_text(), re.MULTILINE)
    told = {(to, port, name) for to, port, source in rows for name in re.findall(r"vm\d", source.split("(")[0]) if name != to}
    allowed, outside = cells_of(rendered("cloud", "-e", "quartet_monitoring=exporters"))
    assert allowed == told
    assert outside == set()
    assert {(to.replace("all", "every VM"), port) for to, port, _ in rows} == documented().keys()


def test_one_vm_opens_ssh_alone_to_others() -> None:
    assert cells_of(rendered("single")) == (set(), set())
    found = rendered("single")["quartet1"]
    assert (found["enabled"], found["port"], found["ssh"]) == (True, 22, ["any"])


@pytest.mark.parametrize(
    ("options", "cell"),
    [
        ({"quartet_kafka_clients": ["198.51.100.0/24"]}, ("vm3", "9093", "198.51.100.0/24")),
        ({"quartet_mongodb_clients": ["198.51.100.7"]}, ("vm1", "27017", "198.51.100.7")),
        ({"quartet_console_clients": ["198.51.100.7"], "quartet_console": True}, ("vm2", "8443", "198.51.100.7")),
        ({"quartet_open_ports": [{"what": "metrics", "ports": ["9100"], "from": ["198.51.100.7"]}]}, ("vm4", "9100", "198.51.100.7")),
    ],
)
def test_a_users_clients_and_ports_are_added(options: dict[str, Any], cell: Cell) -> None:
    allowed, outside = cells_of(rendered("cloud", "-e", json.dumps(options)))
    assert cell in outside
    assert allowed == cells_of(rendered("cloud"))[0]


def test_without_monitoring_no_port_of_metrics_is_open() -> None:
    ports = {port for _, port, _ in cells_of(rendered("cloud"))[0]}
    assert ports == {"27017", "9093"}


def test_a_monitor_of_its_own_reads_the_metrics_kafka_and_the_database(tmp_path: Path) -> None:
    inventory = yaml.safe_load((ROOT / "inventory/cloud/hosts.yml").read_text())
    quartet = inventory["all"]["children"]["quartet"]
    quartet["hosts"]["vm5"] = {"ansible_host": "192.0.2.15"}
    quartet["children"]["monitor"]["hosts"] = {"vm5": {}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
    options = {"quartet_monitoring": "exporters", "quartet_producers": [{"id": 1}, {"id": 2, "metrics_port": 9400}]}
    allowed, _ = cells_of(rendered(str(tmp_path / "hosts.yml"), "-e", json.dumps(options)))
    nodes = {(f"vm{number}", "9100", "vm5") for number in (1, 2, 3, 4)}
    apps = {("vm2", port, "vm5") for port in ("9211", "9212", "9240")} | {("vm4", "9221", "vm5")}
    producers = {("vm3", "9301", "vm5"), ("vm3", "9400", "vm5")}
    servers = {("vm1", "27017", "vm5"), ("vm3", "9093", "vm5")}
    assert {cell for cell in allowed if cell[2] == "vm5"} == nodes | apps | producers | servers


def test_without_the_console_nobody_reaches_its_port() -> None:
    _, outside = cells_of(rendered("cloud", "-e", json.dumps({"quartet_console_clients": ["198.51.100.7"]})))
    assert outside == set()


def test_the_ssh_port_is_ansibles() -> None:
    assert {found["port"] for found in rendered("cloud", "-e", "ansible_port=2222").values()} == {2222}


def test_spark_hosts_reach_the_services_that_their_executors_use(tmp_path: Path) -> None:
    """A worker on a VM of its own runs executors, which read Kafka and write to the database."""
    inventory = yaml.safe_load((ROOT / "inventory/cloud/hosts.yml").read_text())
    quartet = inventory["all"]["children"]["quartet"]
    quartet["hosts"]["vm5"] = {"ansible_host": "192.0.2.15"}
    quartet["children"]["spark_worker"]["hosts"]["vm5"] = {}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
    allowed, _ = cells_of(rendered(str(tmp_path / "hosts.yml")))
    added = allowed - cells_of(rendered("cloud"))[0]
    assert added == {
        ("vm1", "27017", "vm5"),
        ("vm3", "9093", "vm5"),
        ("vm2", "7077", "vm5"),
        ("vm2", "7078-7099", "vm5"),
        ("vm5", "7078-7099", "vm2"),
    }
