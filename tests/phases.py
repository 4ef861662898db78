"""Runs commands of the project for the phases of `make test`, and scripts on the lab's machines."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
SHARED = ROOT.parent / "shared"

MACHINES: dict[str, str] = {
    name: values["ansible_host"]
    for name, values in yaml.safe_load((ROOT / "inventory/lab/hosts.yml").read_text())["all"]["children"]["quartet"]["hosts"].items()
}

#: The services that must be active in a healthy lab. Producers end when they have sent everything.
UNITS = {
    "vm1": ["mongod", "prometheus-node-exporter"],
    "vm2": [
        "quartet-db-consumer@images",
        "quartet-db-consumer@inferences",
        "spark-master",
        "spark-worker",
        "quartet-spark-stream",
        "quartet-exporter",
        "prometheus-node-exporter",
        "quartet-console",
        "prometheus",
        "prometheus-alertmanager",
    ],
    "vm3": ["kafka", "prometheus-node-exporter"],
    "vm4": ["quartet-inference", "prometheus-node-exporter"],
}

#: Ansible ends at once in a locale that this machine does not have, and tests read what commands say in English.
LOCALE = {"LC_ALL": "C.UTF-8"}

#: Output without colours, and no question
SETTINGS = {"ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1", "YES": "1"}

Command = Callable[..., str]


def run(*command: str, seconds: int = 600, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project with the tools of this environment, and print how long it took."""
    begin = time.monotonic()
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **LOCALE, "PATH": f"{BIN}:{os.environ['PATH']}", **SETTINGS, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=seconds,
        check=False,
    )
    print(f"{' '.join(command)[:120]}: {time.monotonic() - begin:.0f} s, status {result.returncode}", file=sys.__stderr__, flush=True)
    return result


def on_machine(machine: str, script: str, *, check: bool = True, seconds: int = 300, connect_seconds: int = 10) -> str:
    """Run a shell script as root on a machine, by its name in the lab or its address, and return its standard output.

    The script is passed by standard input, so that secrets in it do not appear in the process list.

    Raises:
        AssertionError: the script failed and `check` is true; the message ends with its output.

    """
    result = subprocess.run(
        [
            "ssh",
            "-q",
            "-i",
            ".lab/id_ecdsa",
            "-o",
            "UserKnownHostsFile=.lab/known_hosts",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "IdentityAgent=none",
            "-o",
            f"ConnectTimeout={connect_seconds}",
            f"vagrant@{MACHINES.get(machine, machine)}",
            "sudo",
            "sh",
            "-s",
        ],
        input=script,
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    assert not check or result.returncode == 0, (
        f"{machine}: status {result.returncode} of:\n{script[-2000:]}\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
    )
    return result.stdout
