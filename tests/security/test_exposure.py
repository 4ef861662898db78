"""Every TCP port of every VM, tried from every other VM and from the host: exactly the ports that docs/security.md names answer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from phases import MACHINES, ROOT, on_machine
from security.evidence import refused

HOST = "10.77.0.1"
_SCAN = (Path(__file__).parent / "scan.py").read_text()
# A dropped packet leaves its connection in the kernel's table for two minutes, and this table would be full: for as long as the scan takes
_FORGET = "net.netfilter.nf_conntrack_tcp_timeout_syn_sent"


def documented(target: str, source: str) -> set[int]:
    """Return the ports of a VM that another VM, or the host, may reach, by the table of docs/security.md."""
    clients = yaml.safe_load((ROOT / "inventory/lab/group_vars/quartet.yml").read_text())
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs/security.md").read_text().splitlines()
        if line.startswith("|")
    ]
    begin = next(number for number, row in enumerate(rows) if row[:2] == ["to", "port"])
    assert rows[begin][3:] == [*MACHINES, "elsewhere"], "the table has a column for each VM"
    ports = set()
    for row in rows[begin + 2 :]:
        if not re.fullmatch(r"\d+(-\d+)?", row[1]):
            break
        cell = row[3 + list(MACHINES).index(source)] if source in MACHINES else row[-1]
        option = re.search(r"`(\w+)`", cell)
        allowed = cell == "yes" or cell.endswith(": any") or (option is not None and HOST in str(clients.get(option[1], "")))
        if row[0] in (target, "every VM") and allowed:
            first, _, last = row[1].partition("-")
            ports |= set(range(int(first), int(last or first) + 1))
    return ports


@pytest.fixture
def forgetful(running_lab: None) -> Iterator[None]:
    """Let every kernel forget unanswered connections at once, and restore that afterwards."""
    before = subprocess.run(["sysctl", "-n", _FORGET], capture_output=True, text=True, check=True).stdout.strip()

    def forget(seconds: str) -> None:
        subprocess.run([*(["sudo"] if os.getuid() else []), "sysctl", "-q", "-w", f"{_FORGET}={seconds}"], check=True)
        for machine in MACHINES:
            on_machine(machine, f"sysctl -q -w {_FORGET}={seconds} || true")

    forget("3")
    try:
        yield
    finally:
        forget(before)


def addresses(machine: str) -> list[str]:
    """Return every address at which others can reach a VM, of IPv4 and IPv6."""
    shown = json.loads(on_machine(machine, "ip -json address show scope global"))
    return [info["local"] for link in shown for info in link.get("addr_info", []) if info["scope"] == "global"]


def scan(source: str, targets: list[str]) -> dict[str, dict[str, list[int]]]:
    """Scan from a VM or from the host."""
    if source == "host":
        output = subprocess.run(
            [sys.executable, "-", *targets], input=_SCAN, capture_output=True, text=True, check=True, timeout=280
        ).stdout
    else:
        output = on_machine(source, f"python3 - {' '.join(targets)} << 'END_OF_SCAN'\n{_SCAN}END_OF_SCAN")
    found: dict[str, dict[str, list[int]]] = json.loads(output)
    return found


def dropped(machine: str) -> int:
    """Return how many packets a VM's firewall has dropped: in a container the kernel's log is not there, but its counter is."""
    (count,) = re.findall(r"counter packets (\d+) .*dropped", on_machine(machine, "nft list table inet quartet"))
    return int(count)


def test_exactly_the_documented_ports_answer(forgetful: None) -> None:
    places = {machine: addresses(machine) for machine in MACHINES}
    targets = {source: [a for machine in MACHINES if machine != source for a in places[machine]] for source in [*MACHINES, "host"]}
    before = {machine: dropped(machine) for machine in MACHINES}
    with ThreadPoolExecutor() as threads:
        scans = dict(zip(targets, threads.map(scan, targets, targets.values()), strict=True))
    wrong = []
    for source, found in scans.items():
        for target, own in places.items():
            if target == source:
                continue
            may = documented(target, source)
            for address in own:
                answered = set(found[address]["open"])
                if answered != may:
                    wrong.append(f"{source} to {target} ({address}): {sorted(answered)} answer, docs/security.md says {sorted(may)}")
                if closed := set(found[address]["refused"]) - may:
                    wrong.append(f"{source} to {target} ({address}): {len(closed)} ports are closed, but not dropped")
    assert not wrong
    for target in MACHINES:
        count = dropped(target) - before[target]
        assert count > 65_000, (target, count)
        refused(
            f"{target}: 65,535 ports, from every VM and the host",
            "firewall",
            f"{count:,} packets dropped; what answers is in docs/security.md",
        )
