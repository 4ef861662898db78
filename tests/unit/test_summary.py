"""The summary at the end of site.yml is printed as plain lines, not as a list of quoted strings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def summary(inventory: str) -> list[str]:
    """Return the lines of the summary for an inventory."""
    result = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", inventory, "playbooks/summary.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return [line.strip() for line in result.stdout.splitlines()]


def test_the_summary_is_printed_as_lines() -> None:
    lines = summary("inventory/lab")
    assert "Kafka     10.77.0.13:9093  (TLS, SCRAM-SHA-512)" in lines
    assert "Next:  make run IMAGES=2000 INVENTORY=lab     make status INVENTORY=lab" in lines
    assert not [line for line in lines if line.startswith("WARNING")]


def test_monitoring_without_a_monitor_is_a_warning(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "inventory/lab/group_vars", tmp_path / "group_vars")
    hosts = yaml.safe_load((ROOT / "inventory/lab/hosts.yml").read_text())
    del hosts["all"]["children"]["quartet"]["children"]["monitor"]
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(hosts))
    (warning,) = [line for line in summary(str(tmp_path)) if line.startswith("WARNING")]
    assert "no host is in group 'monitor'" in warning
