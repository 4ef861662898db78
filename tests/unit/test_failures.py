"""A task whose output is hidden says why it failed: a rescue by `base: failure` shows its message without the secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")])
RESCUE = {"name": "base", "tasks_from": "failure"}


def tasks(rows: list[dict[str, Any]], rescued: bool = False) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield every task of a file, and whether a failure of it is explained."""
    for row in rows:
        explained = any(task.get("ansible.builtin.include_role") == RESCUE for task in row.get("rescue") or [])
        for part in ("tasks", "block"):
            yield from tasks(row.get(part) or [], rescued or explained)
        for part in ("rescue", "always"):
            yield from tasks(row.get(part) or [], rescued)
        yield row, rescued


def every_task() -> list[tuple[Path, dict[str, Any], bool]]:
    return [(path, task, rescued) for path in FILES for task, rescued in tasks(yaml.safe_load(path.read_text()) or [])]


def test_every_hidden_failure_is_explained() -> None:
    found = every_task()
    included = {
        path.parent / task["ansible.builtin.include_tasks"]
        for path, task, rescued in found
        if rescued and "ansible.builtin.include_tasks" in task
    }
    hidden = [
        (path, task["name"], rescued or path in included)
        for path, task, rescued in found
        if "no_log" in task and task.get("failed_when") is not False
    ]
    assert len(hidden) > 10
    assert not [(str(path.relative_to(ROOT)), name) for path, name, explained in hidden if not explained]


def test_every_start_of_a_unit_is_explained() -> None:
    """What a unit wrote last is shown where it does not start."""
    starts = [
        (path, task["name"], rescued)
        for path, task, rescued in every_task()
        if str(task.get("ansible.builtin.systemd_service", {}).get("state", "")).find("started") >= 0
        and path.relative_to(ROOT).parts[:2] in [("roles", name) for name in ("base", "kafka", "mongodb", "spark", "app")]
    ]
    assert not [(str(path), name) for path, name, rescued in starts if not rescued]


CANARY = "canary-of-the-test"
COMMAND = "echo one reason >&2; echo two reasons; cat >&2; exit 3"
RESCUES = {
    "name": "Say why this failed",
    "ansible.builtin.include_role": RESCUE,
    "vars": {"base_failure_secrets": [CANARY, "", "other"], "base_failure_units": ["sample.service"]},
}


def hidden(name: str, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a block with a task that fails and hides why."""
    return {"name": name, "block": [{"name": name, module: arguments, "no_log": True}], "rescue": [RESCUES]}


def run(folder: Path, tasks: list[dict[str, Any]], *arguments: str) -> str:
    """Run the tasks on the first of two hosts, which both are this machine; then the gate, and a play after it. Return all output."""
    hosts = {name: {"ansible_connection": "local", "ansible_python_interpreter": sys.executable} for name in ("first", "second")}
    (folder / "hosts.yml").write_text(json.dumps({"quartet": {"hosts": hosts}}))
    alike = {"hosts": "quartet", "gather_facts": False}
    broken = {
        **alike,
        "name": "Work",
        "strategy": "ansible.builtin.host_pinned",
        "tasks": [{**task, "when": "inventory_hostname == 'first'"} for task in tasks],
    }
    gate = {"name": "Gate", "import_playbook": str(ROOT / "playbooks/all_or_none.yml")}
    after = {**alike, "name": "Later", "tasks": [{"name": "Go on", "ansible.builtin.debug": {"msg": "the later play ran"}}]}
    (folder / "play.yml").write_text(json.dumps([broken, gate, after]))
    # in place of systemd, which the machine of the tests need not have
    for command, text in (("systemctl", "echo failed"), ("journalctl", f"echo last words of $1, {CANARY}")):
        (folder / command).write_text(f"#!/bin/sh\n{text}\n")
        (folder / command).chmod(0o755)
    result = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(folder / "hosts.yml"), str(folder / "play.yml"), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"},
    )
    assert tasks == [] or result.returncode != 0
    return " ".join((result.stdout + result.stderr).split())


@pytest.mark.parametrize("verbosity", ["-v", "-vvv"])
def test_the_reason_is_shown_and_no_secret(tmp_path: Path, verbosity: str) -> None:
    command = {"argv": ["sh", "-c", COMMAND], "stdin": f"refused {CANARY}"}
    output = run(tmp_path, [hidden("Log in", "ansible.builtin.command", command)], verbosity)
    for words in (
        'first: the task "Log in" failed.',
        "one reason",
        "two reasons",
        "refused ********",
        "sample.service is failed. The last lines of its journal:",
        "last words of --unit=sample.service, ********",
    ):
        assert words in output, words
    assert CANARY not in output


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    rows = [{"path": f"{tmp_path}/none/secret", "content": CANARY, "mode": "0600"}]
    output = run(tmp_path, [hidden("Write a password", "files", {"rows": rows})], "-vvv", "--diff")
    assert f"{tmp_path}/none/secret: No such file or directory" in output
    assert CANARY not in output


def test_no_host_goes_on_without_the_others(tmp_path: Path) -> None:
    output = run(tmp_path, [hidden("Log in", "ansible.builtin.command", {"argv": ["false"]})])
    assert "first failed above, so nothing more is started on any host." in output
    assert "the later play ran" not in output


def test_all_hosts_go_on_together(tmp_path: Path) -> None:
    assert run(tmp_path, []).count("the later play ran") == 2
