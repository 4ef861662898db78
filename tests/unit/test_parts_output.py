"""What `make lab` and `make deploy` print: a line for each part on each VM, failures whole, and all else in the log file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = """
- name: Install and configure
  hosts: all
  gather_facts: false
  connection: local
  strategy: ansible.builtin.host_pinned
  tasks:
    - ansible.builtin.include_role: {name: outer}
    - ansible.builtin.debug: {msg: "where it is\\nand what comes next"}
    - name: Fail
      ansible.builtin.command: sh -c 'echo the reason >&2; exit 3'
      when: fail | default(false)
"""
OUTER = """
- name: Change
  ansible.builtin.command: "true"
- name: Look
  ansible.builtin.command: "sleep 1"
  changed_when: false
- ansible.builtin.include_role: {name: inner}
"""
INNER = "".join(f"- {{name: Step {number}, ansible.builtin.command: 'true'}}\n" for number in range(3))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    for role, tasks in (("outer", OUTER), ("inner", INNER)):
        (folder / role / "tasks").mkdir(parents=True, exist_ok=True)
        (folder / role / "tasks/main.yml").write_text(tasks)
    (folder / "play.yml").write_text(PLAYBOOK)
    return subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            *("-i", "vm1,", str(folder / "play.yml"), "-e", "ansible_python_interpreter=/usr/bin/python3", *arguments),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_ROLES_PATH": str(folder),
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "playbooks/callback_plugins"),
            "ANSIBLE_STDOUT_CALLBACK": "parts",
            "ANSIBLE_LOG_PATH": str(folder / "log"),
        },
    )


def test_a_line_for_a_part_and_the_rest_in_the_log(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "  0:00  Install and configure" in result.stdout
    (part,) = [line.split() for line in result.stdout.splitlines() if " outer " in line]
    assert (part[0], part[1], part[-2:]) == ("vm1", "outer", ["4", "changed"]), "what an inner role changes belongs to the outer one"
    assert "  vm1:\n    where it is\n    and what comes next\n" in result.stdout
    assert "TASK [" not in result.stdout
    assert "changed=4" in result.stdout
    log = (tmp_path / "log").read_text()
    assert log.count("TASK [inner : Step") == 3


def test_a_failure_is_seen_whole(tmp_path: Path) -> None:
    result = run(tmp_path, "-e", "fail=true")
    assert result.returncode != 0
    assert "fatal: [vm1]: FAILED!" in result.stdout + result.stderr
    assert "the reason" in result.stdout + result.stderr
