"""What is done to the pipeline's own processes under load; judged by the ledger's eight rules."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from faults import breaking, judge
from faults.machines import IMAGES, INFERENCE, INFERENCES, STREAM
from faults.row import LONG, Row, audit
from phases import on_machine as on

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


def kills(this: Row, unit: str, at_random: int, most: float) -> None:
    """Kill a consumer at each of its steps, then at random moments, 5.5 (it starts again after 5) to `most` seconds apart."""
    for point in POINTS:
        with breaking.failpoint(unit, point, "kill"):
            this.sees(unit, rf"failpoint {point}: kill, 1 of 1", note=False)
    seed = random.randrange(10**6)
    this.what += f"; {unit}'s seed is {seed}"
    pause = random.Random(seed)
    for _ in range(at_random):
        time.sleep(pause.uniform(5.5, most))
        breaking.kill(unit)
    this.sees(unit, r"status=9/KILL")


def test_f1_a_db_consumer_is_killed(row: Begin) -> None:
    times = 25 if LONG else 2
    this = row(f"both DB consumers killed (SIGKILL) at each of 4 steps and {times} times at random")
    this.load(lasting=100 + 14 * times)
    for unit in (IMAGES, INFERENCES):
        kills(this, unit, times, most=8)
    this.healed()
    this.holds()


def test_f2_the_inference_consumer_is_killed(row: Begin) -> None:
    times = 50 if LONG else 2
    this = row(f"inference killed (SIGKILL) at each of 4 steps and {times} times at random")
    this.load(lasting=100 + 10 * times)
    # the model takes seconds to load: some of the kills fall into that, most do not
    kills(this, INFERENCE, times, most=15)
    this.healed()
    this.holds()


def test_f8_a_consumer_is_replaced_while_it_is_stopped(row: Begin) -> None:
    this = row("DB consumer of images stopped (SIGSTOP) between its write and its commit, replaced by another member, then woken")
    this.load(lasting=90)
    begin = time.time()
    with breaking.failpoint(IMAGES, "after-settle", "stop"):
        this.sees(IMAGES, r"failpoint after-settle: stop", since=begin)
        with breaking.second_consumer("images") as second:
            this.sees(second, r"assigned 12 partitions", since=begin, seconds=50)
            on("vm2", f"systemctl kill --signal=CONT {IMAGES}")
            this.sees(IMAGES, r"the group moved on before the commit", since=begin)
    this.healed()
    this.holds()


def test_f21_a_hung_process_is_restarted(row: Begin) -> None:
    this = row("DB consumer of images and inference made to hang: the watchdog (60 s) restarts them")
    this.load(lasting=180)
    for unit in (IMAGES, INFERENCE):
        begin = time.time()
        with breaking.failpoint(unit, "after-write", "hang"):
            this.sees(unit, r"failpoint after-write: hang", since=begin)
            this.sees(unit, r"Watchdog timeout|Result=watchdog", since=begin, seconds=90)
            this.sees(unit, r"Scheduled restart job", since=begin)
    this.healed()
    this.holds()


def test_f17_the_stream_is_killed(row: Begin) -> None:
    this = row("the Spark stream killed (SIGKILL) alone, then while everything was sent again and a DB consumer was stopped")
    this.load(lasting=60)
    breaking.kill(STREAM)
    this.sees(STREAM, r"status=9/KILL")
    this.healed(readers=("images", "inferences", "inference", "stream"))
    this.case()
    this.order(rate=0)
    with breaking.stopped(INFERENCES):
        breaking.kill(STREAM)
        time.sleep(40)
    this.healed(readers=("images", "inferences", "inference", "stream"))
    case = this.holds()
    assert case.sent_again >= len(case.acknowledged)
    on("vm2", "systemctl start quartet-spark-batch", seconds=600)
    found = audit("mark")
    assert judge.totals_of(found["stream"]) == judge.totals_of(found["batch"])
