"""The CA signs on the controller though ansible-vault has encrypted its files, and its decrypted key is written down nowhere."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
# Nothing can be made there, so a module that is not piped to Python fails.
NOWHERE = "/proc/nowhere"


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A folder of secrets with a CA, and a request beside it."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    made = subprocess.check_output([sys.executable, ROOT / "roles/pki/files/make_authority.py", folder, "10"], text=True)
    assert made == "made\n"
    request = ["openssl", "req", "-new", *CURVE, "-subj", "/CN=sample", "-keyout", tmp_path / "sample.key", "-out", tmp_path / "sample.csr"]
    subprocess.run(request, check=True, capture_output=True)
    (tmp_path / "password").write_text("of the vault")
    return folder


def encrypt(*files: Path) -> None:
    password = files[0].parents[1] / "password"
    subprocess.run([BIN / "ansible-vault", "encrypt", f"--vault-password-file={password}", *files], check=True, capture_output=True)


def sign(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Have the role sign the request, and write the certificate beside it."""
    place = folder.parent
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars": {"pki_directory": str(folder), "_pki_request": {"stdout": (place / "sample.csr").read_text()}},
        "tasks": [
            {"name": "Sign", "ansible.builtin.include_role": {"name": "pki", "tasks_from": "sign"}},
            {
                "name": "Keep",
                "ansible.builtin.copy": {"dest": str(place / "sample.crt"), "content": "{{ _pki_signed.certificate }}"},
                "vars": {"ansible_remote_tmp": str(place / "tmp")},
            },
        ],
    }
    (place / "play.json").write_text(json.dumps([play]))
    return subprocess.run(
        [
            BIN / "ansible-playbook",
            "-i",
            "vm1,",
            "-vvv",
            "--diff",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
            place / "play.json",
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_REMOTE_TMP": NOWHERE, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def verified(folder: Path, ca: str) -> bool:
    (folder.parent / "trusted.crt").write_text(ca)
    check = ["openssl", "verify", "-CAfile", folder.parent / "trusted.crt", folder.parent / "sample.crt"]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def test_it_signs_with_what_ansible_vault_encrypted(authority: Path) -> None:
    ca, key = (authority / "ca.crt").read_text(), (authority / "ca.key").read_text()
    encrypt(authority / "ca.key", authority / "ca.crt")
    result = sign(authority, ANSIBLE_VAULT_PASSWORD_FILE=str(authority.parent / "password"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert verified(authority, ca)
    secret = key.splitlines()[1]
    assert secret not in result.stdout + result.stderr
    assert not [path.name for path in authority.parent.rglob("*") if path.is_file() and secret in path.read_text()]


def valid_since(certificate: Path) -> float:
    """Return for how many minutes a certificate has been valid."""
    start = subprocess.check_output(["openssl", "x509", "-in", certificate, "-noout", "-startdate"], text=True).removeprefix("notBefore=")
    return (time.time() - ssl.cert_time_to_seconds(start.strip())) / 60


def test_a_vm_whose_clock_is_behind_takes_them(authority: Path) -> None:
    assert sign(authority).returncode == 0
    assert verified(authority, (authority / "ca.crt").read_text())
    assert valid_since(authority / "ca.crt") >= 60
    assert valid_since(authority.parent / "sample.crt") >= 59


def test_an_authority_that_is_there_stays(authority: Path) -> None:
    before = (authority / "ca.crt").read_bytes(), (authority / "ca.key").read_bytes()
    assert (authority / "ca.key").stat().st_mode & 0o777 == 0o600
    assert subprocess.check_output([sys.executable, ROOT / "roles/pki/files/make_authority.py", authority, "10"], text=True) == ""
    assert before == ((authority / "ca.crt").read_bytes(), (authority / "ca.key").read_bytes())


def test_without_the_vaults_password_it_says_so(authority: Path) -> None:
    encrypt(authority / "ca.key")
    result = sign(authority)
    assert result.returncode != 0
    said = " ".join((result.stdout + result.stderr).split())
    assert 'vm1: the task "Sign the certificate on the controller" failed.' in said
    assert "no vault secrets found" in said
