"""What is done to the records and to what is deployed; judged by the ledger's eight rules."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from faults import breaking, judge
from faults.machines import IMAGES, INFERENCES, PRODUCERS, UNITS
from faults.row import COUNT, Row
from phases import on_machine as on
from phases import run

Begin = Callable[[str], Row]
POISON = Path(__file__).with_name("poison.py").read_text()


def poison(machine: str, app: str, count: int, seconds: float) -> dict[str, str]:
    """Send poison; return place -> the cause that it must be refused for."""
    words = f"/opt/quartet/{app}/current/bin/python - {app} {count} {seconds}"
    return judge.parse(on(machine, f"{words} << 'END'\n{POISON}\nEND\n"))


def test_f9_poison_is_set_aside(row: Begin) -> None:
    this = row("1 % poison among the images and the inferences, then nothing but poison")
    this.load(lasting=30)
    sent = poison("vm3", "producer", max(12, COUNT // 100), 15) | poison("vm4", "inference", max(8, COUNT // 100), 5)
    sent |= poison("vm3", "producer", 300, 1) | poison("vm4", "inference", 200, 1)
    this.healed()
    this.sees(IMAGES, r"refused .*: (wrong-length|missing-header|unknown-schema|null-value|bad-header)")
    this.sees(INFERENCES, r"refused .*: (bad-json|missing-field|unknown-schema|null-value)")
    case = this.holds()
    letters = Counter(tuple(letter) for letter in case.evidence["letters"])
    assert letters == Counter(sent.items()), "each poison must be in the dead letters once, with its cause, and nothing else"


def test_f10_everything_comes_again(row: Begin) -> None:
    this = row("producers restarted in mid-run, the run sent 3 times, every group set back to before the run")
    this.load(lasting=30)
    on("vm3", f"systemctl restart {' '.join(PRODUCERS)}")
    this.sees(PRODUCERS[0], r"Started|ready")
    before = this.case().evidence
    for _ in range(2):
        this.order(rate=0)
        this.case()
    breaking.set_back(this.mark["ends"])
    this.healed()
    case = this.holds()
    assert case.sent_again >= 4 * len(case.acknowledged)
    for kind in ("stored", "inferred"):
        assert sorted(case.evidence[kind]) == sorted(before[kind]), "what was stored has changed"


def test_f13_a_producers_clock_is_wrong(row: Begin) -> None:
    this = row("the clock that a producer reads set 2 hours ahead, then 2 hours back")
    folder = "/run/quartet-fault"
    # not libfaketime: its sleeps and waits fail or never end under Debian 12's Python
    code = "import os, time; f, n, s = time.time, time.time_ns, int(os.environ['SHIFT'])\ntime.time = lambda: f() + s\ntime.time_ns = lambda: n() + s * 10**9"
    on("vm3", f"mkdir -p {folder}; cat > {folder}/sitecustomize.py << 'END'\n{code}\nEND")
    this.load(lasting=60)
    for shift in (7200, -7200):
        begin = time.time()
        with breaking.drop_in(PRODUCERS[0], f"Environment=PYTHONPATH={folder} SHIFT={shift}"):
            this.sees(PRODUCERS[0], r"[1-9]\d* of \d+ acknowledged", since=begin)
            time.sleep(10)
    on("vm3", f"rm -r {folder}")
    this.healed()
    case = this.holds()
    wrong = Counter(round(row[-1] / 3_600_000) for row in case.evidence["images"])
    assert wrong[2] and wrong[-2] and wrong[0], f"hours between capture and arrival: {wrong}"


def test_f22_the_playbook_runs_under_load(row: Begin) -> None:
    this = row("site.yml run again under load")
    this.load(lasting=120)
    every = tuple(unit for units in UNITS.values() for unit in units)
    before = this.restarts(every)
    result = run("ansible-playbook", "-i", "inventory/lab", "site.yml", seconds=900)
    assert result.returncode == 0, result.stdout[-4000:]
    changed = re.findall(r"changed=(\d+)", result.stdout.split("PLAY RECAP")[1])
    this.seen.append(f"site.yml: changed={', '.join(changed)}, no unit restarted")
    assert (set(changed), this.restarts(every)) == ({"0"}, before), result.stdout[-4000:]
    this.healed()
    this.holds()
