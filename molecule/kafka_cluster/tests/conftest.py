"""What the tests of the cluster share: its machines, and their state."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import testinfra

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
ADDRESSES = {"mol-broker1": "10.77.0.131", "mol-broker2": "10.77.0.132", "mol-broker3": "10.77.0.133"}
# The role's own module says what is wrong with the cluster
HEALTH = ["-m", "include_role", "-a", "name=kafka tasks_from=wait"]


@pytest.fixture(scope="session")
def brokers() -> dict[str, testinfra.host.Host]:
    """The machines, by name."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    return {name: testinfra.get_host(f"ansible://{name}?ansible_inventory={inventory}", sudo=True) for name in ADDRESSES}


@pytest.fixture(scope="session")
def converge() -> Callable[..., tuple[int, str]]:
    """site.yml with other variables; returns its status and its output with the line breaks folded away."""

    def run(**variables: object) -> tuple[int, str]:
        result = subprocess.run(
            ["ansible-playbook", "-i", str(EPHEMERAL / "inventory"), str(PROJECT / "site.yml"), "-e", json.dumps(variables)],
            env={**os.environ, "ANSIBLE_CONFIG": str(EPHEMERAL / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        return result.returncode, " ".join((result.stdout + result.stderr).split())

    return run


@pytest.fixture(scope="session")
def healthy(brokers: dict[str, testinfra.host.Host]) -> Callable[[], None]:
    """Wait until every replica of every partition is in sync, as the brokers' own tool sees it."""
    tool = "/opt/quartet/kafka-server/bin/kafka-topics.sh --command-config /etc/quartet/kafka/admin.properties --describe"

    def wait() -> None:
        deadline = time.monotonic() + 120
        while True:
            answers = []
            for name, host in brokers.items():
                asked = host.run(f"{tool} --bootstrap-server {ADDRESSES[name]}:9092 --under-replicated-partitions")
                answers.append((asked.rc, asked.stdout.strip()))
            if all(answer == (0, "") for answer in answers):
                return
            assert time.monotonic() < deadline, answers
            time.sleep(2)

    return wait
