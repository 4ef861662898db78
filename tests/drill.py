"""`make drill`. The broker and a DB consumer are killed in mid-run; afterwards every rule of `verify` holds."""

from __future__ import annotations

import time
from collections.abc import Callable

from phases import Command

PLAY = ("ansible-playbook", "-i", "inventory/lab")


def test_kills_in_mid_run_lose_nothing(lab: str, command: Command, ssh: Callable[..., str]) -> None:
    command(*PLAY, "playbooks/run.yml", "-e", "images=8000", "-e", f"run=drill{int(time.time())}")
    time.sleep(4)
    ssh("vm2", "systemctl kill --signal=KILL quartet-db-consumer@images quartet-db-consumer@inferences")
    time.sleep(2)
    ssh("vm3", "systemctl kill --signal=KILL kafka")
    time.sleep(3)
    ssh("vm2", "systemctl kill --signal=KILL quartet-db-consumer@images")
    command(*PLAY, "playbooks/wait.yml", seconds=900)
    verdict = command(*PLAY, "playbooks/verify.yml")
    assert "verify: everything holds" in verdict, verdict[-3000:]
