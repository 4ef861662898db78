"""Phase 3: each role on a VM of its own, from a blank machine to what the VM then does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from subprocess import CompletedProcess

import pytest
from phases import ROOT, run

# In the order in which the roles build on each other; default is all of them on one VM.
ORDER = [
    "base",
    "secrets",
    "pki",
    "kafka",
    "mongodb",
    "mongodb_org",
    "firewall",
    "monitoring",
    "app",
    "db_consumer",
    "backup",
    "inference",
    "spark_jobs",
    "default",
]
# By hand, after a change to the role: three VMs and a dozen restarts; the console without Prometheus (with it: the lab); an emulated machine
# (make test-kernel). Those of spark run in spark_jobs.
BY_HAND = ["console", "kafka_cluster", "kernel", "spark"]


def test_no_scenario_is_forgotten() -> None:
    assert sorted(ORDER + BY_HAND) == sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))


@pytest.fixture(scope="module")
def runs(host: None, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[CompletedProcess[str]]]]:
    """Start the chosen scenarios, two side by side: one waits for its VM while the other computes. The longest comes first."""
    chosen = {
        item.callspec.params["scenario"]
        for item in request.session.items
        if "scenario" in getattr(getattr(item, "callspec", None), "params", {})
    }
    with ThreadPoolExecutor(max_workers=2) as lanes:
        started = {name: lanes.submit(run, "molecule", "test", "-s", name, seconds=2400) for name in reversed(ORDER) if name in chosen}
        yield started
        for future in started.values():
            future.cancel()


@pytest.mark.parametrize("scenario", ORDER)
def test_molecule(runs: dict[str, Future[CompletedProcess[str]]], scenario: str) -> None:
    result = runs[scenario].result()
    assert result.returncode == 0, f"molecule test -s {scenario} ended with {result.returncode}:\n{result.stdout[-8000:]}"
