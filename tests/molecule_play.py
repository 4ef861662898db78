"""Ansible on the VMs of the molecule scenario whose tests run, as molecule calls it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def scenario_inventory() -> Path:
    """Return the folder of the scenario's inventory."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory"


def ansible(program: str, *words: str, seconds: int = 300) -> tuple[int, str]:
    """Run a program of Ansible; return its status and its output with the line breaks folded away."""
    result = subprocess.run(
        [program, "-i", str(scenario_inventory()), *words],
        env={**os.environ, "ANSIBLE_CONFIG": str(scenario_inventory().parent / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return result.returncode, " ".join((result.stdout + result.stderr).split())


def play(playbook: str, *, seconds: int = 300, **variables: object) -> tuple[int, str]:
    """Run a playbook of the project with other variables; return its status and its output with the line breaks folded away."""
    return ansible("ansible-playbook", str(ROOT / playbook), "-e", json.dumps(variables), seconds=seconds)
