"""A row of the table of faults: load, fault, observations of an operator, recovery, drain, verdict."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from faults import alerts, judge
from faults.machines import IMAGES, INFERENCE, INFERENCES, PRODUCERS, machine_of, not_active, wait_until_active
from phases import on_machine as on

#: Images per second, and the minimum number of images: a row's load lasts as long as its fault.
RATE = float(os.environ.get("FAULT_RATE", "200"))
COUNT = int(os.environ.get("FAULT_IMAGES", "10000"))
#: Whether to run the long variants of the rows: many kills, long cuts and stops
LONG = os.environ.get("FAULT_LONG") == "1"
#: Seconds within which an operator must see which unit is affected, and why.
SEEN_SECONDS = 30
DRAIN_SECONDS = 900

_STATE = "/var/lib/quartet-producer"
_AUDITOR = Path(__file__).with_name("auditor.py").read_text()


def audit(mode: str, *, machine: str = "vm2", **arguments: Any) -> judge.Json:
    """Run the auditor's script on the machine that has the auditor's access."""
    words = f"/opt/quartet/db_consumer/current/bin/python - {mode} '{json.dumps(arguments)}'"
    return judge.parse(on(machine, f"{words} << 'END'\n{_AUDITOR}\nEND\n", seconds=arguments.get("seconds", 600) + 60))


def say(text: str) -> None:
    """Print progress to the terminal."""
    print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.__stderr__, flush=True)


class Row:
    """One fault, from its load to its verdict."""

    def __init__(self, name: str, what: str) -> None:
        self.name, self.what = name, what
        self.seen: list[str] = []
        self.result: dict[str, Any] = {}
        self.run = f"{name}{time.strftime('%H%M%S')}"
        self._begin = time.time()
        self._recovered: float | None = None
        wait_until_active(120)
        left = self._drained()
        assert not left, f"the lab was not drained before the fault: {left}"
        self.mark = audit("mark")

    def load(self, *, lasting: float) -> None:
        """Let the producers send a run that takes `lasting` seconds or longer. Returns when the first images are acknowledged."""
        self._count = max(COUNT, int(RATE * lasting))
        say(f"{self.name}: run {self.run}, {self._count} images at {RATE:.0f}/s")
        self.order(RATE)
        self.wait_for_status(PRODUCERS[0], rf"run {self.run}: [1-9]\d* of", 60)

    def order(self, rate: float) -> None:
        """Order the row's run from the producers; a second time, all of it is sent again."""
        share = self._count // len(PRODUCERS)
        order = json.dumps({"run": self.run, "count": share, "rate": rate / len(PRODUCERS)})
        script = "".join(
            f"printf '%s' '{order}' > {_STATE}/order-{unit[-3:]}.json\n"
            f"chown quartet-producer: {_STATE}/order-{unit[-3:]}.json; chmod 600 {_STATE}/order-{unit[-3:]}.json\n"
            for unit in PRODUCERS
        )
        on("vm3", f"{script}systemctl restart {' '.join(PRODUCERS)}")

    def wait_for_status(self, unit: str, pattern: str, seconds: float) -> str:
        """Wait until `systemctl status` shows a text."""
        end = time.monotonic() + seconds
        while not re.search(pattern, text := on(machine_of(unit), f"systemctl show -p StatusText --value {unit}", check=False)):
            assert time.monotonic() < end, f"{unit} shows {text!r}, not {pattern}"
            time.sleep(0.5)
        return text.strip()

    def sees(self, unit: str, pattern: str, *, since: float | None = None, seconds: float = SEEN_SECONDS, note: bool = True) -> str:
        """Wait until the unit's status or journal since the fault shows the pattern, as an operator looks; note the line."""
        begin, machine = time.time(), machine_of(unit)
        show = f"systemctl show -p ActiveState,SubState,Result,NRestarts,StatusText {unit} | tr '\\n' ' '; echo; "
        while True:
            text = on(machine, f"{show} journalctl -u {unit} --since @{int(since or self._begin)} -o cat --no-pager", check=False)
            line = next((line for line in reversed(text.splitlines()) if re.search(pattern, line)), None)
            if line is not None:
                text = f"{unit} after {time.time() - begin:.0f} s: {line.strip()[:200]}"
                say(text)
                if note:
                    self.seen.append(text)
                return line
            assert time.time() - begin < seconds, f"nothing of {unit} showed {pattern!r} within {seconds} s:\n{text[-2000:]}"
            time.sleep(1)

    def healed(self, *, readers: tuple[str, ...] = ("images", "inferences", "inference")) -> None:
        """Note how long it takes from now until every unit is active and the readers are two seconds or less behind the load."""
        begin = time.monotonic()
        wait_until_active(300)
        found = audit("wait", limit=int(2 * RATE), seconds=DRAIN_SECONDS, readers=list(readers))
        assert found["done"], f"not caught up after {DRAIN_SECONDS} s: {found}"
        self._recovered = max(self._recovered or 0, time.monotonic() - begin)
        say(f"caught up after {self._recovered:.0f} s")

    def _sent(self) -> None:
        script = f"grep -c '\"done\": true' {' '.join(f'{_STATE}/order-{unit[-3:]}.json' for unit in PRODUCERS)} | grep -c ':1$' || true"
        end = time.monotonic() + DRAIN_SECONDS
        while on("vm3", script, check=False).strip() != str(len(PRODUCERS)):
            assert time.monotonic() < end, f"the producers have not sent everything after {DRAIN_SECONDS} s"
            time.sleep(1)

    def _drained(self) -> dict[str, int]:
        found = audit("wait", limit=0, seconds=DRAIN_SECONDS, readers=["images", "inferences", "inference", "stream"])
        say(f"drained: {found}")
        return {} if found["done"] else dict(found["left"] or {"servers": 1})

    def case(self) -> judge.Case:
        """Wait until everything is sent and read, and return what the judge judges."""
        self._sent()
        left = self._drained()
        exported = on("vm3", f"/opt/quartet/producer/current/bin/quartet ledger export --state-directory={_STATE}")
        ledgers = [ledger for ledger in json.loads(exported) if ledger["run"] == self.run]
        assert ledgers, f"no ledger of run {self.run}"
        runs = [[ledger["producer_id"], ledger["run"], ledger["high_water"]] for ledger in ledgers]
        evidence = audit("evidence", since=self.mark["ends"], ledgers=runs)
        outstanding = [f"{n} of {reader} not read" for reader, n in left.items()] + not_active()
        return judge.Case(ledgers, evidence, self.mark, outstanding)

    def holds(self) -> judge.Case:
        """Judge the row: every rule holds, and everything that was ordered was acknowledged."""
        case = self.case()
        self.result = {
            "name": self.name.upper(),
            "what": self.what,
            "seen": self.seen,
            "messages": len(case.acknowledged),
            "rate": round(RATE),
            "sent_again": case.sent_again,
            "lost": len(case.lost),
            "duplicated": len(case.doubled),
            "seconds": None if self._recovered is None else round(self._recovered),
            "alerts": alerts.fired(self._begin),
        }
        say(f"{self.name}: {self.result}")
        wrong = judge.broken(case)
        assert not wrong, "\n".join(wrong)
        assert len(case.acknowledged) == self._count // len(PRODUCERS) * len(PRODUCERS)
        return case

    def restarts(self, units: tuple[str, ...] = (IMAGES, INFERENCES, INFERENCE)) -> dict[str, str]:
        """Return which process each unit is; another one, if it was restarted."""
        return {unit: on(machine_of(unit), f"systemctl show -p InvocationID,NRestarts --value {unit}") for unit in units}
