"""Evaluates Jinja expressions on an inventory with Ansible, without contacting a VM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@cache
def computed(inventory: str, expression: str, *arguments: str) -> dict[str, Any]:
    """Return the value of a Jinja expression for each host of a shipped inventory; `arguments` are more options of `ansible`."""
    result = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible"),
            *("-i", str(ROOT / "inventory" / inventory), "--playbook-dir", "playbooks", "quartet"),
            *("-m", "debug", "-a", f"msg={{{{ {expression} }}}}"),
            *arguments,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={
            **os.environ,
            "ANSIBLE_FILTER_PLUGINS": ":".join(map(str, ROOT.glob("roles/*/filter_plugins"))),
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        },
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (task,) = json.loads(result.stdout)["plays"][0]["tasks"]
    return {host: found["msg"] for host, found in task["hosts"].items()}
