"""Standard output of `make lab` and `make deploy`: a line for each part on each VM with its seconds and changes, and failures whole.

Everything that Ansible prints by default goes to the log file (`log_path`) alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible import constants as C  # noqa: N812 (as Ansible's own plugins do)
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = """
name: parts
type: stdout
short_description: one line for each part on each host
description: Seconds and changes of each role on each host, failures and messages whole, all else in the log file.
extends_documentation_fragment: [default_callback, result_format_callback]
"""
_NAMED_CHANGES = 3
_SHOWN_SECONDS = 1.0


class _LogOnly:
    """Ansible's display, that writes to the log file alone."""

    def __init__(self, display: Any) -> None:
        self._display = display

    def __getattr__(self, name: str) -> Any:
        return getattr(self._display, name)

    def display(self, text: str, *_: object, **__: object) -> None:
        self._display.display(text, log_only=True)

    def banner(self, text: str, *_: object, **__: object) -> None:
        self._display.display(text, log_only=True)


class _Part:
    """What a host does for one part: the seconds of its tasks, and the names of those that changed something."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seconds = 0.0
        self.changed: list[str] = []

    def line(self, host: str) -> str | None:
        """Return what to print of it, nothing where it took no time and changed nothing."""
        if not self.changed and self.seconds < _SHOWN_SECONDS:
            return None
        many = len(self.changed) > _NAMED_CHANGES
        changes = f"{len(self.changed)} changed" if many else "; ".join(self.changed)
        return f"  {host:<14}{self.name:<14}{self.seconds:5.0f} s  {changes}".rstrip()


class CallbackModule(Default):  # type: ignore[misc]  # Ansible has no types
    """Wraps each event of the default output."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "parts"

    def __init__(self) -> None:
        super().__init__()
        self._screen: Any = self._display
        self._display: Any = _LogOnly(self._screen)
        self._parts: dict[str, _Part] = {}
        self._began: dict[tuple[str, str], float] = {}
        self._start = time.monotonic()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._end_parts()
        super().v2_playbook_on_play_start(play)
        self._screen.display(f"{self._elapsed()}  {play.get_name().strip()}")

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._began[host.get_name(), task._uuid] = time.monotonic()
        super().v2_runner_on_start(host, task)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._count(result)
        if result.task.action in ("debug", "ansible.builtin.debug") and "msg" in result.result:
            message = result.result["msg"]
            lines = message if isinstance(message, list) else str(message).splitlines()
            self._screen.display("\n    ".join([f"  {result.host.get_name()}:", *map(str, lines)]))
        super().v2_runner_on_ok(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._count(result)
        super().v2_runner_on_skipped(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._count(result)
        self._aloud(lambda: super(CallbackModule, self).v2_runner_on_failed(result, ignore_errors), quiet=ignore_errors)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._aloud(lambda: super(CallbackModule, self).v2_runner_item_on_failed(result))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._count(result)
        self._aloud(lambda: super(CallbackModule, self).v2_runner_on_unreachable(result))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._end_parts()
        self._screen.display(f"{self._elapsed()}  end; the whole output is in {C.DEFAULT_LOG_PATH or 'no file: set ANSIBLE_LOG_PATH'}")
        self._aloud(lambda: super(CallbackModule, self).v2_playbook_on_stats(stats))

    def _aloud(self, event: Callable[[], None], quiet: bool = False) -> None:
        """Let the default output of one event be seen."""
        if quiet:
            return event()
        log, self._display = self._display, self._screen
        try:
            event()
        finally:
            self._display = log
        return None

    def _count(self, result: Any) -> None:
        """Add a task to the host's part; another part than before ends that one, and is printed."""
        host, task = result.host.get_name(), result.task
        chain = task.get_dep_chain() or ([task._role] if task._role else [])
        name = chain[0].get_name() if chain else "-"
        part = self._parts.get(host)
        if part is None or part.name != name:
            self._end_part(host)
            part = self._parts[host] = _Part(name)
        part.seconds += time.monotonic() - self._began.pop((host, task._uuid), time.monotonic())
        if result.result.get("changed") and not result.result.get("failed"):
            part.changed.append(task.get_name())

    def _end_part(self, host: str) -> None:
        part = self._parts.pop(host, None)
        if part and (line := part.line(host)):
            self._screen.display(line)

    def _end_parts(self) -> None:
        for host in list(self._parts):
            self._end_part(host)

    def _elapsed(self) -> str:
        minutes, seconds = divmod(round(time.monotonic() - self._start), 60)
        return f"{minutes:3}:{seconds:02}"
