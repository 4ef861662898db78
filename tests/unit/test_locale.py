"""What the project calls runs in a locale that is there, whichever the user's shell names: Ansible ends at once in another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import phases
import pytest

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE = Path(sys.executable).with_name("ansible-playbook")


@pytest.mark.parametrize("broken", [{"LANG": "xx_XX.UTF-8"}, {"LC_ALL": "xx_XX.UTF-8"}, {"LC_ALL": "POSIX"}])
def test_make(tmp_path: Path, broken: dict[str, str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))} | broken
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([ANSIBLE, "--version"], env=environment, capture_output=True, check=True)
    (tmp_path / "more").write_text(f"ansible:\n\t@'{ANSIBLE}' --version\n")
    called = ["make", "--file=Makefile", f"--file={tmp_path}/more", "ansible"]
    result = subprocess.run(called, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_phases_and_the_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "xx_XX.UTF-8")
    result = phases.run("ansible-playbook", "--version")
    assert result.returncode == 0, result.stdout
