"""`make test-security`: what must be refused, tried on the running four-VM lab. Nothing here brings the lab up: `make lab` does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from phases import MACHINES, UNITS, on_machine
from security import evidence
from security.lab import restarts

_WIDTH = 240


# Units that an earlier phase restarted have a minute to become active.
_ACTIVE = """
for try in $(seq 30); do
  idle=$(for unit in {units}; do systemctl is-active --quiet $unit || echo $unit; done)
  [ -n "$idle" ] || exit 0
  sleep 2
done
echo $idle
"""


@pytest.fixture(scope="session", autouse=True)
def running_lab() -> None:
    """Exit if the lab is not up: a machine does not answer, or a unit is not active."""
    for machine in MACHINES:
        try:
            idle = on_machine(machine, _ACTIVE.format(units=" ".join(UNITS[machine]))).split()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            pytest.exit(f"{machine} does not answer: run make lab first ({error})", returncode=1)
        if idle:
            pytest.exit(f"{', '.join(idle)} of {machine} is not active: run make lab first", returncode=1)


@pytest.fixture
def steady(running_lab: None) -> Iterator[None]:
    """Fail if a unit of the lab ended or was restarted during a test."""
    before = restarts()
    yield
    assert restarts() == before, "a unit was restarted"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of refusals."""
    if evidence.REFUSALS:
        terminalreporter.section("refused, and how it looks")
        for line in evidence.table(_WIDTH):
            terminalreporter.write_line(line)
