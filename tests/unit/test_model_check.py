"""`make model-check` runs `quartet model check` on a host that classifies, leaves no copy there, and says what is missing."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "vm_apps/models/resnet18_cifar10.safetensors"
# The real command, from the sources; `where` keeps the path of the copy that it was given.
PROGRAM = f"""#!/bin/sh
echo "$3" > "$(dirname "$0")/where"
PYTHONPATH='{ROOT}/vm_apps/src' exec '{sys.executable}' -c 'import sys; from quartet.cli import main; sys.exit(main())' "$@"
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "quartet"
    file.write_text(PROGRAM)
    file.chmod(0o755)
    return file


def check(tmp_path: Path, group: str, file: Path, program: Path) -> tuple[int, str]:
    """Run the playbook against this machine; return its exit status and what it printed, in one line."""
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(f"{group}: {{hosts: {{here: {{ansible_connection: local, ansible_become: false}}}}}}\n")
    result = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), "playbooks/model_check.yml"),
            *("-e", json.dumps({"file": str(file), "_quartet": str(program)})),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return result.returncode, " ".join((result.stdout + result.stderr).split())


def test_a_good_model_is_described_and_its_copy_removed(tmp_path: Path, program: Path) -> None:
    status, printed = check(tmp_path, "inference", MODEL, program)
    assert status == 0, printed
    assert "file resnet18_cifar10.safetensors" in printed
    assert "sha256 63d52f7df596564bb0e47f3f266fb505d9bb98e1b2d775d8764bdcdd9b676ff9" in printed
    copy = Path((tmp_path / "where").read_text().strip())
    assert copy.name == MODEL.name
    assert not copy.parent.exists()


def test_a_file_that_is_no_model_fails_with_the_reason(tmp_path: Path, program: Path) -> None:
    file = tmp_path / "other.safetensors"
    file.write_bytes(b"not a model")
    status, printed = check(tmp_path, "inference", file, program)
    assert status != 0
    assert "quartet model check ended with" in printed
    assert not Path((tmp_path / "where").read_text().strip()).parent.exists()


def test_a_missing_file_is_named(tmp_path: Path, program: Path) -> None:
    status, printed = check(tmp_path, "inference", Path("/nowhere/model.safetensors"), program)
    assert status != 0
    assert "There is no model file '/nowhere/model.safetensors' on the controller" in printed


def test_an_inventory_without_inference_is_refused(tmp_path: Path, program: Path) -> None:
    status, printed = check(tmp_path, "kafka", MODEL, program)
    assert status != 0
    assert "no host in group 'inference'" in printed


def test_a_host_without_the_environment_is_named(tmp_path: Path) -> None:
    status, printed = check(tmp_path, "inference", MODEL, tmp_path / "nothing")
    assert status != 0
    assert "Inference is not installed on here: make deploy" in printed


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ("/tmp/q w/my model.safetensors", "/tmp/q w/my model.safetensors"),
        ("my model.safetensors", f"{ROOT}/my model.safetensors"),
        ("", ""),
    ],
)
def test_make_passes_the_file_on_whole(given: str, passed: str) -> None:
    command = subprocess.check_output(
        ["make", "--no-print-directory", "--dry-run", "model-check", f"FILE={given}"], cwd=ROOT, text=True
    ).splitlines()[-1]
    assert json.loads(shlex.split(command)[-1]) == {"file": passed}
