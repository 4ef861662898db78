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
from phases import MACHINES, on_machine
from port_table import reachable
from security.evidence import refused

# Where a scan begins: the VMs, and the host, which is in the last column of the page
SOURCES = [*MACHINES, "elsewhere"]
_SCAN = (Path(__file__).parent / "scan.py").read_text()
# Metrics of producers: one that has sent everything ends, and its port is closed
ENDED = {9301, 9302}
# A dropped packet leaves its connection in the kernel's conntrack table for two minutes, which would overflow during the scan
_SYN_TIMEOUT = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_syn_sent")


@pytest.fixture
def short_syn_timeout(running_lab: None) -> Iterator[None]:
    """Let every kernel drop unanswered connections from its table quickly; restore the timeout afterwards."""
    before = _SYN_TIMEOUT.read_text()

    def set_timeout(seconds: str) -> None:
        for machine in MACHINES:
            on_machine(machine, f"echo {seconds} > {_SYN_TIMEOUT}")
        subprocess.run(
            [*(["sudo"] if os.getuid() else []), "tee", _SYN_TIMEOUT], input=seconds, text=True, check=True, stdout=subprocess.DEVNULL
        )

    set_timeout("3")
    try:
        yield
    finally:
        set_timeout(before)


def addresses(machine: str) -> list[str]:
    """Return every address at which others can reach a VM, of IPv4 and IPv6."""
    shown = json.loads(on_machine(machine, "ip -json address show scope global"))
    return [info["local"] for link in shown for info in link.get("addr_info", []) if info["scope"] == "global"]


def scan(source: str, targets: list[str]) -> dict[str, dict[str, list[int]]]:
    """Scan from a VM or from the host."""
    if source == "elsewhere":
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


def test_exactly_the_documented_ports_answer(short_syn_timeout: None) -> None:
    places = {machine: addresses(machine) for machine in MACHINES}
    targets = {source: [a for machine in MACHINES if machine != source for a in places[machine]] for source in SOURCES}
    before = {machine: dropped(machine) for machine in MACHINES}
    with ThreadPoolExecutor() as threads:
        scans = dict(zip(targets, threads.map(scan, targets, targets.values()), strict=True))
    wrong = []
    for source, found in scans.items():
        for target, own in places.items():
            if target == source:
                continue
            may = reachable(source, target)
            for address in own:
                answered = set(found[address]["open"])
                if not may - ENDED <= answered <= may:
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
