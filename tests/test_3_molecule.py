"""Phase 3: each role on a VM of its own: check on a blank machine, converge, a second run without a change, and what the VM then does."""

from __future__ import annotations

import pytest
from phases import ROOT, Command

# In the order in which the roles build on each other; default is all of them on one VM.
ORDER = [
    "base",
    "secrets",
    "pki",
    "java",
    "kafka",
    "mongodb",
    "mongodb_org",
    "torch",
    "spark",
    "app",
    "producer",
    "db_consumer",
    "inference",
    "spark_jobs",
    "default",
]


def test_no_scenario_is_forgotten() -> None:
    assert sorted(ORDER) == sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))


@pytest.mark.parametrize("scenario", ORDER)
def test_molecule(host: None, command: Command, scenario: str) -> None:
    command("molecule", "test", "-s", scenario, seconds=1500)
