"""Row F15 of docs/faults.md: the power is cut under load. The ledger's rules that need no inference are judged (tests/faults/judge.py)."""

from __future__ import annotations

import json
import re
import time

import pytest
from faults import judge, table
from faults.row import audit
from kernel.machine import say

PRODUCERS = ("quartet-producer@101", "quartet-producer@102")
UNITS = ("mongod", "kafka", "quartet-db-consumer@images", "quartet-db-consumer@inferences")
RUN, RATE, COUNT = "f15", 40, 3000
#: The power is cut when so many are acknowledged.
ENOUGH = 1200
#: Limit of each wait; it takes a tenth of that where nothing else computes.
SECONDS = 1200
STATE = "/var/lib/quartet-producer"
# Of the eight rules: no inference runs here, and no stream counts.
RULES = ("1", "2", "3", "4", "5", "6")


def order(machine):
    """Order the run, as playbooks/run.yml does; the operator's file is on the disk before the producers start."""
    text = json.dumps({"run": RUN, "count": COUNT // len(PRODUCERS), "rate": RATE / len(PRODUCERS)})
    files = [f"{STATE}/order-{unit[-3:]}.json" for unit in PRODUCERS]
    write = "".join(f"printf '%s' '{text}' > {file}; chown quartet-producer: {file}; chmod 600 {file}\n" for file in files)
    machine.run(f"{write}sync\nsystemctl restart {' '.join(PRODUCERS)}")


def acknowledged(machine):
    """Return how many images of the run each producer's status says are acknowledged since it started."""
    text = machine.run(f"systemctl show -P StatusText {' '.join(PRODUCERS)}", check=False)
    return [int(number) for number in re.findall(rf"run {RUN}: (\d+) of", text)]


def wait_for(what, seconds, found):
    """Wait until `found()` is true."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(1)


def ended(machine):
    """Say whether all producers have ended their order."""
    return machine.run(f"grep -l '\"done\": true' {STATE}/order-*.json | wc -l").strip() == str(len(PRODUCERS))


def seen(machine, unit, words):
    """Return the first line of this boot's journal with these words, as an operator finds it."""
    return machine.run(f"journalctl --no-pager --boot --output=cat {unit} | grep -m 1 -E '{words}'").strip()


@pytest.fixture(scope="module")
def case(machine):
    """Load, cut, boot, resume, drain; what is left then."""
    ready = audit("wait", machine=machine.address, limit=0, seconds=SECONDS, readers=["images"])
    assert ready["done"], ready
    mark = audit("mark", machine=machine.address)
    order(machine)
    wait_for(f"{ENOUGH} acknowledged images", SECONDS, lambda: sum(acknowledged(machine)) >= ENOUGH)
    before = sum(acknowledged(machine))
    machine.cut_power()
    say(f"power cut; {before} of {COUNT} images were acknowledged")
    assert before < COUNT
    begin = time.monotonic()
    machine.start()
    wait_for("the producers go on", SECONDS, lambda: sum(acknowledged(machine)) or ended(machine))
    caught_up = audit("wait", machine=machine.address, limit=2 * RATE, seconds=SECONDS, readers=["images"])
    assert caught_up["done"], caught_up
    recovered = time.monotonic() - begin
    say(f"caught up after {recovered:.0f} s; {acknowledged(machine)} acknowledged")
    wait_for("everything sent", SECONDS, lambda: ended(machine))
    drained = audit("wait", machine=machine.address, limit=0, seconds=SECONDS, readers=["images"])
    states = machine.run(f"systemctl is-active {' '.join(UNITS)} || true").split()
    outstanding = [f"{unit}: {state}" for unit, state in zip(UNITS, states, strict=True) if state != "active"]
    outstanding += [f"{number} of {reader} not read" for reader, number in drained["left"].items() if number]
    exported = machine.run(f"/opt/quartet/producer/current/bin/quartet ledger export --state-directory={STATE}")
    ledgers = [ledger for ledger in json.loads(exported) if ledger["run"] == RUN]
    runs = [[ledger["producer_id"], ledger["run"], ledger["high_water"]] for ledger in ledgers]
    evidence = audit("evidence", machine=machine.address, since=mark["ends"], ledgers=runs)
    return judge.Case(ledgers, evidence, mark, outstanding), before, recovered


@pytest.mark.parametrize("rule", [rule for rule in judge.RULES if rule.startswith(RULES)])
def test_after_a_power_loss(case, rule):
    assert list(judge.RULES[rule](case[0]))[:5] == []


def test_everything_was_sent_in_the_end(machine, case):
    found, before, recovered = case
    assert len(found.acknowledged) == COUNT
    lines = [
        f"{unit}: {seen(machine, f'--unit={unit}', words)[:200]}"
        for unit, words in (("mongod", "Detected unclean shutdown"), ("kafka", "[Rr]ecover"), (PRODUCERS[0], f"run {RUN}"))
    ]
    place = "one emulated machine (QEMU without KVM, disk with cache=writeback)"
    table.add(
        {
            "name": "F15",
            "what": f"the power of {place} cut (SIGKILL of the emulator) while the producers sent; {before:,} images were acknowledged by then",
            "seen": lines,
            "messages": len(found.acknowledged),
            "rate": RATE,
            "sent_again": found.sent_again,
            "lost": len(found.lost),
            "duplicated": len(found.doubled),
            "seconds": round(recovered),
        },
        f"{table.server(*[machine.address] * 3)}; {place}",
    )
