"""The faults of the pipeline's promises, each made on the running lab under load and judged by the ledger's eight rules."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from faults import breaking
from faults.machines import IMAGES, INFERENCE, INFERENCES, on
from faults.row import Row

Begin = Callable[[str], Row]
POINTS = ("after-poll", "after-write", "after-settle", "after-commit")


def test_f18_a_corrupted_model_is_refused(row: Begin) -> None:
    this = row("a byte of the model's file flipped, inference restarted")
    this.load(lasting=20)
    flip = (
        "file=$(ls /var/lib/quartet/models/*.safetensors)\n"
        "python3 -c 'import sys; f = open(sys.argv[1], \"r+b\"); f.seek(100000); b = f.read(1); f.seek(100000); f.write(bytes([b[0] ^ 1]))' $file\n"
        f"systemctl restart --no-block {INFERENCE}"
    )
    on("vm4", flip)
    try:
        this.sees(INFERENCE, r"(?i)sha256|hash")
        this.sees(INFERENCE, r"status=66|Result=exit-code")
    finally:
        on("vm4", flip)
    this.healed()
    this.holds()


def kills(this: Row, unit: str, at_points: int, at_random: int) -> None:
    """Kill a consumer at each of its steps, then at random moments."""
    for point in POINTS:
        with breaking.failpoint(unit, point, "kill", at_points):
            this.sees(unit, rf"failpoint {point}: kill, {at_points} of {at_points}", seconds=30 * at_points)
    seed = random.randrange(10**6)
    print(f"random kills of {unit}: seed {seed}")
    pause = random.Random(seed)
    for _ in range(at_random):
        time.sleep(pause.uniform(5.5, 8))
        breaking.kill(unit)
    this.sees(unit, r"status=9/KILL")


def test_f1_a_db_consumer_is_killed(row: Begin) -> None:
    this = row("both DB consumers killed (SIGKILL) at each of 4 steps and twice at random")
    this.load(lasting=200)
    for unit in (IMAGES, INFERENCES):
        kills(this, unit, 1, 2)
    this.healed()
    this.holds()


@pytest.mark.full
def test_f1_a_db_consumer_is_killed_fifty_times(row: Begin) -> None:
    this = row("DB consumer of images killed (SIGKILL) 3 times at each of 4 steps and 38 times at random")
    this.load(lasting=600)
    kills(this, IMAGES, 3, 38)
    this.healed()
    this.holds()


def test_f2_the_inference_consumer_is_killed(row: Begin) -> None:
    this = row("inference killed (SIGKILL) at each of 4 steps and twice at random")
    this.load(lasting=200)
    kills(this, INFERENCE, 1, 2)
    this.healed()
    this.holds()
