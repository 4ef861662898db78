"""What is done to the servers, the network and whole machines; judged by the ledger's eight rules."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from faults import breaking
from faults.machines import DATABASE, IMAGES, INFERENCE, INFERENCES, KAFKA, PRODUCERS, STREAM, UNITS, machine_of, wait_until_active
from faults.row import LONG, Row
from phases import on_machine as on
from phases import run

Begin = Callable[[str], Row]


def test_f3_the_broker_is_killed(row: Begin) -> None:
    this = row("Kafka killed (SIGKILL) 5 times while the producers sent")
    this.load(lasting=90)
    for n in range(5):
        begin = time.time()
        breaking.kill(KAFKA)
        this.sees(KAFKA, r"status=9/KILL", since=begin, note=n == 0)
        time.sleep(15)
    this.healed()
    this.holds()


def not_sent_again(start: float) -> None:
    """Assert that no send failed since then: the outages were shorter than the delivery timeout."""
    sent_again = on("vm3", f"journalctl -u {PRODUCERS[0]} -u {PRODUCERS[1]} --since @{int(start)} -o cat | grep 'sent again by' || true")
    assert not sent_again, "a send failed although the outage was shorter than the delivery timeout"


def test_f4_every_unit_is_restarted_in_turn(row: Begin) -> None:
    this = row("every unit restarted, one after the other")
    this.load(lasting=120)
    start = time.time()
    for unit in (DATABASE, KAFKA, IMAGES, INFERENCES, INFERENCE, "spark-master", "spark-worker", STREAM, *PRODUCERS):
        begin = time.time()
        on(machine_of(unit), f"systemctl restart {unit}")
        this.sees(unit, r"^Started", since=begin, note=unit in (DATABASE, KAFKA))
        wait_until_active(120)
    this.healed()
    this.holds()
    not_sent_again(start)


def test_f24_everything_is_restarted_by_make_rolling_restart(row: Begin) -> None:
    this = row("`make rolling-restart`")
    this.load(lasting=300)
    start, before = time.time(), this.restarts()
    result = run("make", "rolling-restart", seconds=900)
    assert result.returncode == 0, result.stdout[-4000:]
    assert not set(before.items()) & set(this.restarts().items()), "a unit was not restarted"
    this.healed()
    this.holds()
    not_sent_again(start)


def test_f5_the_database_is_killed(row: Begin) -> None:
    this = row("the database killed (SIGKILL) 5 times in mid-bulk")
    this.load(lasting=50)
    for _ in range(5):
        time.sleep(random.uniform(5, 9))
        breaking.kill(DATABASE)
    this.sees(DATABASE, r"status=9/KILL")
    this.sees(IMAGES, r"paused.*mongodb")
    this.healed()
    this.holds()


def cut(this: Row, pairs: Sequence[tuple[str, Sequence[str]]], signs: Mapping[str, str], seconds: float, only: str = "") -> None:
    """Cut machines off from others for some time; every unit in `signs` must tell it by its text."""
    begin = time.time()
    with ExitStack() as cuts:
        for machine, others in pairs:
            cuts.enter_context(breaking.partition(machine, *others, seconds=seconds, only=only))
        for unit, sign in signs.items():
            this.sees(unit, sign, since=begin)
        time.sleep(max(0.0, begin + seconds - time.time()))
    this.healed()


def test_f6_the_network_is_cut(row: Begin) -> None:
    longer = ", then all three at once for 330 s (a poll may take 300)" if LONG else ""
    this = row(f"vm2-vm1, vm2-vm3, vm4-vm3 cut for 30 s, then vm1 to vm2 and vm4 to vm3 one way{longer}")
    this.load(lasting=600 if LONG else 240)
    before = this.restarts()
    no_database, no_kafka = r"paused.*mongodb", r"(paused|waiting).*kafka"
    cut(this, [("vm2", ["vm1"])], {IMAGES: no_database}, 30)
    cut(this, [("vm2", ["vm3"])], {INFERENCES: no_kafka}, 30)
    cut(this, [("vm4", ["vm3"])], {INFERENCE: no_kafka}, 30)
    cut(this, [("vm2", ["vm1"])], {INFERENCES: no_database}, 30, only="input")
    cut(this, [("vm4", ["vm3"])], {INFERENCE: no_kafka}, 30, only="output")
    if LONG:
        cut(this, [("vm2", ["vm1", "vm3"]), ("vm4", ["vm3"])], {IMAGES: "paused", INFERENCE: no_kafka}, 330)
    assert this.restarts() == before, "a watchdog fired, or a consumer gave up"
    this.holds()


def test_f7_the_database_is_slow(row: Begin) -> None:
    stops = (60, 360) if LONG else (60,)
    this = row(f"the database stopped (SIGSTOP) for {' s and for '.join(map(str, stops))} s")
    this.load(lasting=sum(stops) + 40)
    before, start = this.restarts(), time.time()
    for seconds in stops:
        begin = time.time()
        with breaking.stopped(DATABASE):
            this.sees(IMAGES, r"paused.*mongodb", since=begin)
            this.sees(INFERENCES, r"paused.*mongodb", since=begin)
            time.sleep(max(0, begin + seconds - time.time()))
        this.healed()
    assigned = on("vm2", f"journalctl -u {IMAGES} -u {INFERENCES} --since @{int(start)} -o cat | grep 'assigned .* partitions' || true")
    assert (this.restarts(), assigned) == (before, ""), "the group was rebalanced, or a watchdog fired"
    this.holds()


def test_f23_the_database_is_slow_to_start_after_a_crash(row: Begin) -> None:
    seconds = 80
    this = row(f"the database killed (SIGKILL), and {seconds} s until it opens its port again")
    this.load(lasting=seconds + 60)
    before, begin = this.restarts(), time.time()
    with breaking.slow_to_start(DATABASE, seconds):
        breaking.kill(DATABASE)
        this.sees(DATABASE, r"status=9/KILL", since=begin)
        this.sees(IMAGES, r"paused.*mongodb", since=begin)
        this.sees(INFERENCES, r"paused.*mongodb", since=begin)
        time.sleep(max(0.0, begin + seconds - 10 - time.time()))
        this.sees(IMAGES, r"StatusText=paused.*mongodb", note=False)
        this.healed()
    assert this.restarts() == before, "a watchdog fired, or a consumer gave up"
    this.holds()


def test_f14_the_machines_reboot(row: Begin) -> None:
    this = row("each machine rebooted in turn, then all of them at once, in random order")
    this.load(lasting=150)
    order = random.sample(list(UNITS), len(UNITS))
    print(f"order: {order}")
    for machine in order:
        begin = time.time()
        breaking.reboot(machine)
        this.sees(UNITS[machine][0], r"^Started", since=begin)
        this.healed()
    breaking.reboot(*order)
    this.healed()
    this.holds()
