"""The secrets come back as they are out of the encrypted file, and only out of a complete one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "playbooks/files/encrypt_secrets.sh"
pytestmark = pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed: apt-get install age")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "an inventory" / "secrets"
    folder.mkdir(parents=True)
    (folder / "secrets.yml").write_text("secrets_values: {a: canary}\n")
    (folder / "ca.key").write_text("another canary\n")
    return folder


def encrypt(secrets: Path, recipient: str = "") -> subprocess.CompletedProcess[str]:
    home = secrets.parents[1]
    words = [str(SCRIPT), str(secrets), str(home / "out" / "secrets.tar.age"), recipient, str(home / "keys" / "lab.age-key")]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_they_come_back(secrets: Path, tmp_path: Path) -> None:
    assert encrypt(secrets).returncode == 0
    key, file = tmp_path / "keys/lab.age-key", tmp_path / "out/secrets.tar.age"
    assert key.stat().st_mode & 0o777 == 0o600
    assert b"canary" not in file.read_bytes()
    opened = subprocess.run(["age", "--decrypt", "--identity", str(key), str(file)], capture_output=True, check=True).stdout
    (tmp_path / "back").mkdir()
    subprocess.run(["tar", "--extract", "--directory", str(tmp_path / "back")], input=opened, check=True)
    assert {f.name: f.read_text() for f in (tmp_path / "back/secrets").iterdir()} == {f.name: f.read_text() for f in secrets.iterdir()}
    # the key is kept
    before = key.read_text()
    assert encrypt(secrets).returncode == 0
    assert key.read_text() == before


def test_for_another_key_no_key_is_made(secrets: Path, tmp_path: Path) -> None:
    made = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True)
    recipient = made.stderr.split()[-1]
    assert encrypt(secrets, recipient).returncode == 0
    assert not (tmp_path / "keys").exists()


def test_nothing_is_left_that_looks_complete_if_a_file_cannot_be_read(secrets: Path, tmp_path: Path) -> None:
    assert encrypt(secrets / "missing").returncode != 0
    assert not (tmp_path / "out/secrets.tar.age").exists()


def test_the_playbook_finds_the_inventory_that_it_is_called_with(tmp_path: Path) -> None:
    inventory = tmp_path / "mine"
    shutil.copytree(ROOT / "inventory/single", inventory, ignore=shutil.ignore_patterns("secrets"))
    (inventory / "secrets").mkdir()
    (inventory / "secrets/secrets.yml").write_text("secrets_values: {a: canary}\n")
    result = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), "playbooks/backup_secrets.yml", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "HOME": str(tmp_path)},
    )
    output = " ".join((result.stdout + result.stderr).split())
    assert result.returncode == 0, output
    assert f"Would write {ROOT}/backups/mine/secrets-" in output
    assert "canary" not in output
