"""The VM carries the inventory's id, the controller the secrets, and a lost folder stops the run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

# molecule's inventory folder; secrets_directory is beside the inventory
FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets"


def converge() -> subprocess.CompletedProcess[str]:
    project = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
    return subprocess.run(
        ["ansible-playbook", "-i", str(FOLDER.parent), str(project / "molecule/secrets/converge.yml")],
        env={**os.environ, "ANSIBLE_CONFIG": str(FOLDER.parents[1] / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_folder_is_private():
    assert FOLDER.stat().st_mode & 0o777 == 0o700
    assert (FOLDER / "secrets.yml").stat().st_mode & 0o777 == 0o600


def test_the_secrets_differ_from_each_other():
    values = yaml.safe_load((FOLDER / "secrets.yml").read_text())["secrets_values"]
    assert len(set(values.values())) == len(values)
    assert all(len(value) >= 16 for value in values.values())


def test_the_vm_carries_the_inventorys_id(host):
    values = yaml.safe_load((FOLDER / "secrets.yml").read_text())["secrets_values"]
    assert host.file("/etc/quartet/inventory-id").content_string.strip() == values["inventory_id"]


@pytest.mark.parametrize("loss", ["lost", "of another inventory"])
def test_a_folder_that_does_not_fit_stops_the_run(loss):
    kept = FOLDER.with_name("kept")
    FOLDER.rename(kept)
    try:
        if loss == "of another inventory":
            FOLDER.mkdir(mode=0o700)
            values = yaml.safe_load((kept / "secrets.yml").read_text())
            values["secrets_values"]["inventory_id"] = "0123456789abcdef"
            (FOLDER / "secrets.yml").write_text(yaml.safe_dump(values))
        result = converge()
        assert result.returncode != 0
        output = " ".join((result.stdout + result.stderr).split())
        assert "Restore the" in output
        assert str(FOLDER) in output
        assert loss == "of another inventory" or not (FOLDER / "secrets.yml").exists()
    finally:
        if FOLDER.exists():
            (FOLDER / "secrets.yml").unlink()
            FOLDER.rmdir()
        kept.rename(FOLDER)
