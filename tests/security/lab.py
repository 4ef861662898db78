"""Access to the lab's machines: units, journals, and Python with an app's own libraries and credentials."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import yaml
from phases import MACHINES, ROOT, UNITS, on_machine

KAFKA = f"{MACHINES['vm3']}:9093"
MONGODB = f"{MACHINES['vm1']}:27017"
CA = "/etc/quartet/pki/ca.crt"
# For each user of Kafka: machine, app with the libraries, and the file of its password
_SECRETS = "/etc/quartet/secrets"
KAFKA_USERS = {
    "producer": ("vm3", "producer", f"{_SECRETS}/producer-kafka-password"),
    "db_consumer": ("vm2", "db_consumer", f"{_SECRETS}/db_consumer-kafka-password"),
    "inference": ("vm4", "inference", f"{_SECRETS}/inference-kafka-password"),
    "spark": ("vm2", "spark_jobs", f"{_SECRETS}/spark-kafka-password"),
    "console": ("vm2", "console", f"{_SECRETS}/console-kafka-password"),
    "auditor": ("vm2", "spark_jobs", f"{_SECRETS}/auditor/kafka-password"),
    "exporter": ("vm2", "exporter", f"{_SECRETS}/exporter-kafka-password"),
}
DATABASE_USERS = {
    "db_consumer": f"{_SECRETS}/db_consumer-mongodb-password",
    "spark": f"{_SECRETS}/spark-mongodb-password",
    "console": f"{_SECRETS}/console-mongodb-password",
    "auditor": f"{_SECRETS}/auditor/mongodb-password",
    "exporter": f"{_SECRETS}/exporter-mongodb-password",
}


def model() -> str:
    """Return what the lab's inferences carry: the first 12 hex digits of its model's sha256."""
    variables: dict[str, str] = yaml.safe_load((ROOT / "playbooks/group_vars/all.yml").read_text())
    return variables["quartet_model_sha256"][:12]


def secrets_folder() -> Path:
    """Return the controller's folder of the lab's passwords and its CA."""
    return ROOT / "inventory/lab/secrets"


def python_on(machine: str, app: str, code: str, *, seconds: int = 300, **order: Any) -> Any:
    """Run Python as root on a machine, with the libraries of an app, and return what it assigned to `answer`.

    `order`: what the code finds under that name. Code and order are passed by standard input.
    """
    text = f"import json\norder = json.loads({json.dumps(order)!r})\n{code}\nprint()\nprint(json.dumps(answer))\n"
    output = on_machine(machine, f"/opt/quartet/{app}/current/bin/python -B - << 'END_OF_PYTHON'\n{text}END_OF_PYTHON\n", seconds=seconds)
    return json.loads(output.splitlines()[-1])


def journal(machine: str, unit: str, since: float) -> list[str]:
    """Return the lines that a unit wrote since a moment (seconds since the epoch; host and machines have one clock)."""
    return on_machine(machine, f"journalctl --no-pager --output=cat --since=@{int(since)} --unit={unit}").splitlines()


def lines_of(machine: str, unit: str, since: float, *patterns: str, seconds: float = 20) -> list[str]:
    """Return for each pattern the first line of a unit's journal in which it is found, waiting for the last of them.

    Raises:
        AssertionError: no line matches some of the patterns; it names them.
    """
    end = time.monotonic() + seconds
    while True:
        lines = journal(machine, unit, since)
        found = {pattern: next((line for line in lines if re.search(pattern, line)), None) for pattern in patterns}
        missing = [pattern for pattern, line in found.items() if line is None]
        if not missing:
            return [str(found[pattern]) for pattern in patterns]
        if time.monotonic() > end:
            raise AssertionError(f"no line of {unit} on {machine} says {missing}; it wrote:\n" + "\n".join(lines[-40:]))
        time.sleep(1)


def restarts() -> dict[str, str]:
    """Return of every machine its units' states, how often systemd restarted them, and which invocation runs."""
    wanted = "--property=Id --property=ActiveState --property=NRestarts --property=InvocationID"
    return {machine: on_machine(machine, f"systemctl show {wanted} {' '.join(units)}") for machine, units in UNITS.items()}
