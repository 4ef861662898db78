"""How far a VM's clock is off, as the role base finds it from the facts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from computed import computed

VARIABLES = Path(__file__).resolve().parents[2] / "roles/base/vars/main.yml"


@pytest.mark.parametrize("off", [-7200, 0, 3600])
def test_the_difference_to_the_controllers_clock(off: int) -> None:
    facts = {"ansible_facts": {"date_time": {"epoch": str(int(time.time()) + off)}}}
    found = computed("lab", "_base_clock_seconds", "--limit=vm1", "-e", f"@{VARIABLES}", "-e", json.dumps(facts))["vm1"]
    assert abs(int(found) - off) < 60
