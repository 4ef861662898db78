"""The units on the machines of the lab."""

from __future__ import annotations

import time

from phases import UNITS as SERVICES
from phases import on_machine as on

IMAGES, INFERENCES = "quartet-db-consumer@images", "quartet-db-consumer@inferences"
INFERENCE, STREAM, KAFKA, DATABASE = "quartet-inference", "quartet-spark-stream", "kafka", "mongod"
PRODUCERS = ("quartet-producer@101", "quartet-producer@102")
#: The services, and the timer of the batch
UNITS = {**SERVICES, "vm2": [*SERVICES["vm2"], "quartet-spark-batch.timer"]}


def machine_of(unit: str) -> str:
    """Return where a unit runs."""
    of_a_template = {"quartet-producer": "vm3", "quartet-db-consumer": "vm2"}.get(unit.partition("@")[0])
    return of_a_template or next(machine for machine, units in UNITS.items() if unit in units)


def not_active() -> list[str]:
    """Return the units that should be active and are not, and producers that failed."""
    missing = []
    for machine, units in UNITS.items():
        states = on(machine, f"systemctl is-active {' '.join(units)} || true", check=False).split() or ["unreachable"] * len(units)
        missing += [f"{machine} {unit}: {state}" for unit, state in zip(units, states, strict=True) if state != "active"]
    failed = on("vm3", f"systemctl is-failed {' '.join(PRODUCERS)} || true", check=False).split()
    return missing + [f"vm3 {unit}: failed" for unit, state in zip(PRODUCERS, failed, strict=False) if state == "failed"]


def wait_until_active(seconds: float) -> None:
    """Wait until every unit is active."""
    end = time.monotonic() + seconds
    while missing := not_active():
        assert time.monotonic() < end, f"not active after {seconds:.0f} s: {missing}"
        time.sleep(1)
