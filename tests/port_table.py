"""The table of docs/security.md: who may connect to which port of the lab's VMs."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs/security.md"
NAMES = ("vm1", "vm2", "vm3", "vm4")


def documented() -> dict[tuple[str, str], dict[str, str]]:
    """Return the rows by (to, port), each as a cell by column name; `to` may be "every VM"."""
    head, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if re.match(r"\| (to|every VM|vm\d) \|", line)
    ]
    return {(row[0], row[1]): dict(zip(head, row, strict=True)) for row in rows}


def reachable(source: str, to: str) -> set[int]:
    """Return the ports of VM `to` that the page opens to `source`, another VM's name, or `elsewhere` (the lab's host)."""
    words = (
        {"yes", "`quartet_ssh_clients`: any", "`quartet_kafka_clients`: nobody", "`quartet_console_clients`: nobody"}
        if source == "elsewhere"
        else {"yes"}
    )
    ports: set[int] = set()
    for (name, port), row in documented().items():
        if name in (to, "every VM") and row[source] in words:
            first, _, last = port.partition("-")
            ports.update(range(int(first), int(last or first) + 1))
    return ports
