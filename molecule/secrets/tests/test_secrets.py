"""The VM carries the inventory's id, the controller the secrets, and a lost folder stops the run."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

# molecule's inventory folder; secrets_directory is beside the inventory
FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets"


def converge(**environment: str) -> subprocess.CompletedProcess[str]:
    project = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
    return subprocess.run(
        ["ansible-playbook", "-i", str(FOLDER.parent), str(project / "molecule/secrets/converge.yml")],
        env={**os.environ, "ANSIBLE_CONFIG": str(FOLDER.parents[1] / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def secrets() -> dict[str, str]:
    values: dict[str, str] = yaml.safe_load((FOLDER / "secrets.yml").read_text())["secrets_values"]
    return values


def test_the_folder_is_private():
    assert FOLDER.stat().st_mode & 0o777 == 0o700
    assert (FOLDER / "secrets.yml").stat().st_mode & 0o777 == 0o600


def test_the_secrets_differ_from_each_other():
    values = secrets()
    assert len(set(values.values())) == len(values)
    assert all(len(value) >= 16 for value in values.values())


def test_each_has_its_shape():
    values = secrets()
    assert re.fullmatch(r"[a-z0-9]{16}", values["inventory_id"])
    assert re.fullmatch(r"[A-Za-z0-9]{21}A", values["kafka_cluster_id"])
    assert len(values["kafka_producer_password"]) == 40
    assert len(values["mongodb_keyfile"]) == 756


@pytest.fixture
def without_one():
    """The file of a release that had one secret less."""
    file = FOLDER / "secrets.yml"
    whole = file.read_text()
    values = yaml.safe_load(whole)
    del values["secrets_values"]["kafka_producer_password"]
    file.write_text(yaml.safe_dump(values))
    yield values["secrets_values"]
    file.write_text(whole)


def test_one_that_a_later_release_wants_is_added(without_one):
    result = converge()
    assert result.returncode == 0, result.stdout + result.stderr
    new = secrets()
    assert len(new.pop("kafka_producer_password")) == 40
    assert new == without_one


def test_none_is_added_to_an_encrypted_file(without_one, tmp_path):
    (tmp_path / "password").write_text("of the vault")
    subprocess.run(["ansible-vault", "encrypt", f"--vault-password-file={tmp_path}/password", str(FOLDER / "secrets.yml")], check=True)
    encrypted = (FOLDER / "secrets.yml").read_text()
    result = converge(ANSIBLE_VAULT_PASSWORD_FILE=str(tmp_path / "password"))
    assert result.returncode != 0
    assert "lacks kafka_producer_password" in " ".join((result.stdout + result.stderr).split())
    assert (FOLDER / "secrets.yml").read_text() == encrypted


def test_the_vm_carries_the_inventorys_id(host):
    assert host.file("/etc/quartet/inventory-id").content_string.strip() == secrets()["inventory_id"]


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
