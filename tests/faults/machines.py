"""A way to the lab's machines, and what runs on each."""

from __future__ import annotations

import subprocess
import time

from phases import ROOT

ADDRESS = {f"vm{number}": f"10.77.0.1{number}" for number in (1, 2, 3, 4)}
IMAGES, INFERENCES = "quartet-db-consumer@images", "quartet-db-consumer@inferences"
INFERENCE, STREAM, KAFKA, DATABASE = "quartet-inference", "quartet-spark-stream", "kafka", "secantusdb"
PRODUCERS = ("quartet-producer@101", "quartet-producer@102")
#: What must be active when all is well. Producers end when they have sent everything.
UNITS = {
    "vm1": [DATABASE],
    "vm2": [IMAGES, INFERENCES, "spark-master", "spark-worker", STREAM, "quartet-spark-batch.timer"],
    "vm3": [KAFKA],
    "vm4": [INFERENCE],
}


def on(machine: str, script: str, *, check: bool = True, seconds: float = 300) -> str:
    """Run a script as root on a machine, and return what it printed."""
    words = ["ssh", "-q", "-i", ".lab/id_ecdsa", "-o", "UserKnownHostsFile=.lab/known_hosts", "-o", "ConnectTimeout=5"]
    command = [*words, f"vagrant@{ADDRESS[machine]}", "sudo", "sh", "-s"]
    result = subprocess.run(command, input=script, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    assert not check or result.returncode == 0, f"{machine}: {script[-500:]}\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
    return result.stdout


def machine_of(unit: str) -> str:
    """Return where a unit runs."""
    return "vm3" if unit in PRODUCERS else next(machine for machine, units in UNITS.items() if unit in units)


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
