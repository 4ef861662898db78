"""Action of playbooks/wait.yml: waits for the producers or for the consumers, and prints a line every few seconds that says how far they are.

Arguments: `units` (the producers' units, on their host) or `reader` (the command that prints `quartet status --json`), and `deadline`, a time in
seconds since the epoch. Ansible's own retries would print a failure at each look, and nothing of what is missing.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_POLL_SECONDS = 5
#: Exit status of a command that does not know an option
_USAGE = 2
#: A line is printed when something has changed, and else this often.
_QUIET_SECONDS = 30
#: The rate is that of the last minute.
_RATE_SECONDS = 60
#: The reader of each kind of unread records: what is left to do, its unit, what to look at if it stands still
_READERS = {
    "images": ("to store", "quartet-db-consumer@images"),
    "inference": ("to classify", "quartet-inference"),
    "inferences": ("inferences to store", "quartet-db-consumer@inferences"),
    "stream": ("inferences to count by the stream", "quartet-spark-stream"),
}


def duration(seconds: float) -> str:
    """Return a duration as an operator says it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """How far the consumers are, counted from the slowest of them at the first look."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}
        self.text = ""
        self._begin: int | None = None
        self._looks: deque[tuple[float, int]] = deque()

    def see(self, status: Mapping[str, Any], now: float) -> str:
        """Take an answer of `quartet status --json`, read at `now` (seconds), and return the line of it."""
        unread = status["unread"]
        self.left = {reader: n for reader, n in unread.items() if n}
        counted = unread["inference"] + unread["stream"]
        most = max(unread["images"], counted, unread["inference"] + unread["inferences"])
        sent = status["records"]["images"]
        if self._begin is None:
            self._begin = sent - most
        total = max(0, sent - self._begin)
        self._looks.append((now, total - most))
        while now - self._looks[0][0] > _RATE_SECONDS:
            self._looks.popleft()
        parts = ", ".join(
            f"{name} {max(0, total - n):,}"
            for name, n in (("stored", unread["images"]), ("classified", unread["inference"]), ("counted", counted))
        )
        self.text = f"{parts} of {total:,} sent"
        if not self.left:
            return f"{self.text}; drained"
        rate = self.rate()
        return f"{self.text}; {rate:,.0f} images/s" + (f", {duration(most / rate)} left" if rate > 0 else "")

    def rate(self) -> float:
        """Return the images per second of the slowest reader in the last minute."""
        (first, done), (last, now_done) = self._looks[0], self._looks[-1]
        return max(0.0, (now_done - done) / (last - first)) if last > first else 0.0

    def missing(self) -> str:
        """Return what is left, and what to do about it."""
        if not self.left:
            return "nothing was read of the servers; make health names what does not answer."
        left = ", ".join(f"{n:,} {_READERS[reader][0]}" for reader, n in self.left.items())
        if rate := self.rate():
            most = max(self.left.values())
            return f"{left}. They go on at {rate:,.0f} images/s, which takes another {duration(most / rate)}: make wait again, with MINUTES=60 for an hour."
        # the first in the order of the pipeline, because those behind it wait for it
        unit = next(unit for reader, (_, unit) in _READERS.items() if reader in self.left)
        return (
            f"{left}, and nothing moves. {unit} is the first that stands still: make status shows its state and what it waits for, "
            f"journalctl -u {unit} on its VM the rest."
        )


def producer_states(shown: str) -> list[dict[str, str]]:
    """Return the properties of each unit as `systemctl show` prints them."""
    return [dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.strip().split("\n\n")]


def producer_line(states: Sequence[Mapping[str, str]]) -> str:
    """Return a line for the producers that still send."""
    return "; ".join(
        f"producer {state['Id'].partition('@')[2].removesuffix('.service')}: {state.get('StatusText') or state['ActiveState']}"
        for state in states
        if state["ActiveState"] not in ("inactive", "failed")
    )


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """Waits, and says how far it is."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.check_mode:
            return result | {"skipped": True}
        arguments, self._variables = self._task.args, task_vars
        until = float(arguments["deadline"])
        wait = self._for_producers if "units" in arguments else self._for_consumers
        return result | wait(arguments, until)

    def _for_producers(self, arguments: Mapping[str, Any], until: float) -> dict[str, Any]:
        while True:
            answer = self._command(["systemctl", "show", "--property=Id,ActiveState,Result,StatusText", *arguments["units"]])
            states = producer_states(answer.get("stdout", ""))
            if failed := [state["Id"] for state in states if state.get("ActiveState") == "failed"]:
                return {"failed": True, "msg": f"{', '.join(failed)} failed: journalctl -u {failed[0]} on {self._host()} says why."}
            line = producer_line(states)
            if not line:
                return {"changed": False}
            if time.time() > until:
                return {
                    "failed": True,
                    "msg": f"Not everything is sent: {line}. make wait again goes on waiting, with MINUTES=60 for an hour.",
                }
            self._say(line)
            time.sleep(_POLL_SECONDS)

    def _for_consumers(self, arguments: Mapping[str, Any], until: float) -> dict[str, Any]:
        progress = Progress()
        while True:
            answer = self._command(list(arguments["reader"]))
            if answer.get("rc") == 0:
                self._say(progress.see(json.loads(answer["stdout"]), time.time()))
                if not progress.left:
                    return {"changed": False}
            elif answer.get("rc") == _USAGE:
                return {"failed": True, "msg": f"The VM has a release that does not know --json: make deploy. {answer.get('stderr', '')}"}
            else:
                text = (answer.get("stderr") or answer.get("msg") or "").strip()
                self._say(f"not known: {text.splitlines()[-1] if text else 'no answer'}")
            if time.time() > until:
                return {"failed": True, "msg": f"Not drained in time: {progress.missing()}"}
            time.sleep(_POLL_SECONDS)

    def _command(self, words: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = self._execute_module("ansible.builtin.command", module_args={"argv": words}, task_vars=self._variables)
        return found

    def _host(self) -> str:
        return str((self._variables or {}).get("inventory_hostname", "its VM"))

    def _say(self, line: str) -> None:
        """Print a line that differs from the last one, or is due."""
        now = time.monotonic()
        said, at = getattr(self, "_said", ("", 0.0))
        if line != said or now - at > _QUIET_SECONDS:
            Display().display(f"  {time.strftime('%H:%M:%S')}  {line}")
            self._said = (line, now)
