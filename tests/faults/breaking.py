"""Ways to break a part of the lab; each context manager mends it again, whatever happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from faults.machines import machine_of
from phases import MACHINES
from phases import on_machine as on


def kill(*units: str) -> None:
    """SIGKILL to every process of the units; systemd starts them again."""
    for unit in units:
        on(machine_of(unit), f"systemctl kill --signal=KILL {unit}", check=False)


@contextmanager
def stopped(unit: str) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end."""
    on(machine_of(unit), f"systemctl kill --signal=STOP {unit}")
    try:
        yield
    finally:
        on(machine_of(unit), f"systemctl kill --signal=CONT {unit}", check=False)


@contextmanager
def drop_in(unit: str, text: str) -> Iterator[None]:
    """Restart a unit with further settings. They lie in /run: a reboot forgets them."""
    machine, folder = machine_of(unit), f"/run/systemd/system/{unit}.service.d"
    on(
        machine,
        f"mkdir -p {folder}; printf '[Service]\\n%s\\n' '{text}' > {folder}/fault.conf; systemctl daemon-reload; systemctl restart {unit}",
    )
    try:
        yield
    finally:
        on(machine, f"rm -rf {folder}; systemctl daemon-reload; systemctl restart --no-block {unit}")


@contextmanager
def failpoint(unit: str, point: str, kind: str, times: int = 1) -> Iterator[None]:
    """Arm a failpoint of a consumer (quartet.failpoints)."""
    machine, marker = machine_of(unit), f"/var/lib/{unit.partition('@')[0]}/failpoint"
    on(machine, f"rm -f {marker}")
    try:
        with drop_in(unit, f"Environment=QUARTET_FAILPOINT={point}:{kind}:{times}"):
            yield
    finally:
        on(machine, f"rm -f {marker}", check=False)


@contextmanager
def partition(machine: str, other: str, seconds: float, *, only: str = "") -> Iterator[None]:
    """Drop the packets between two machines for some time. `only`: input or output of `machine`, else both.

    A timer on the machine mends it too, if this process dies meanwhile.
    """
    rules = {"input": f"ip saddr {MACHINES[other]} drop", "output": f"ip daddr {MACHINES[other]} drop"}
    chains = "".join(
        f"chain {hook} {{ type filter hook {hook} priority -300; policy accept; {rule}; }}\n"
        for hook, rule in rules.items()
        if only in ("", hook)
    )
    timer = f"systemd-run --quiet --collect --unit=quartet-fault --on-active={seconds + 30:.0f} nft delete table inet quartet_fault"
    on(machine, f"{timer}\nnft -f - << 'END'\ntable inet quartet_fault {{\n{chains}}}\nEND")
    try:
        yield
        time.sleep(seconds)
    finally:
        on(machine, "nft delete table inet quartet_fault; systemctl stop quartet-fault.timer")


@contextmanager
def second_consumer(stream: str) -> Iterator[str]:
    """Start a second DB consumer of a stream, as another member of its group; it ends, and its settings go, at the end."""
    unit, folder = "quartet-db-consumer@second", "/etc/quartet/db_consumer"
    changed = 'settings.update(group_instance_id="second", metrics_port=9219)'
    make = f'import json; settings = json.load(open("{folder}/{stream}.json")); {changed}; print(json.dumps(settings))'
    on("vm2", f"python3 -c '{make}' > {folder}/second.json; systemctl start {unit}")
    try:
        yield unit
    finally:
        on("vm2", f"systemctl stop {unit}; systemctl reset-failed {unit}; rm {folder}/second.json", check=False)
