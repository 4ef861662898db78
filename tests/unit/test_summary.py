"""The summary at the end of site.yml is printed as plain lines, not as a list of quoted strings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_summary_is_printed_as_lines() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventory/lab", "playbooks/summary.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
    )
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Kafka     10.77.0.13:9093  (TLS, SCRAM-SHA-512)" in lines
    assert "Next:  make run IMAGES=2000 INVENTORY=lab     make status INVENTORY=lab" in lines
