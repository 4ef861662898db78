"""Runs `quartet status --watch` on the first host of group spark_jobs, in this terminal: watch.py INVENTORY.

Address, user and ssh options are those that Ansible uses for the host.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

_WANTED = """{{ {
  'connection': ansible_connection | default('ssh'), 'host': ansible_host | default(inventory_hostname), 'user': ansible_user | default(''),
  'port': ansible_port | default(''), 'key': ansible_ssh_private_key_file | default(''),
  'options': ansible_ssh_common_args | default('') ~ ' ' ~ ansible_ssh_extra_args | default('') } | to_json }}"""
_WATCH = ["sudo", "quartet", "status", "--config=/etc/quartet/spark_jobs/auditor.json", "--watch"]


def connection(inventory: str) -> dict[str, Any]:
    """Return how Ansible reaches the host."""
    program = str(Path(sys.executable).with_name("ansible"))
    words = [
        program,
        "-i",
        inventory,
        "--playbook-dir",
        "playbooks",
        "spark_jobs[0]",
        "-m",
        "ansible.builtin.debug",
        "-a",
        f"msg={_WANTED}",
    ]
    environment = {**os.environ, "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    found = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    try:
        (host,) = json.loads(found.stdout)["plays"][0]["tasks"][0]["hosts"].values()
    except (ValueError, LookupError):
        sys.exit(f"{inventory} has no host in group spark_jobs, or cannot be read:\n{found.stderr}")
    message = host["msg"]
    return dict(json.loads(message) if isinstance(message, str) else message)


def command(found: dict[str, Any]) -> list[str]:
    """Return the command that shows the watch in this terminal."""
    if found["connection"] == "local":
        return _WATCH
    words = ["ssh", *(["-t"] if sys.stdout.isatty() else [])]
    words += ["-i", str(Path(found["key"]).expanduser())] if found["key"] else []
    words += ["-p", str(found["port"])] if found["port"] else []
    words += ["-l", found["user"]] if found["user"] else []
    return [*words, *shlex.split(found["options"]), found["host"], shlex.join(_WATCH)]


if __name__ == "__main__":
    chosen = command(connection(sys.argv[1]))
    os.execvp(chosen[0], chosen)  # noqa: S606 (an argument list)
