"""Role torch, and what needs torch: the package's own tests of the network and of training, and a model that is trained from nothing."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
PYTHON = "/opt/quartet/inference/current/bin/python"
FOLDER = "/var/tmp/torch-tests"
KEYS = ["-i", str(PROJECT / ".lab/id_ecdsa"), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
SSH = ["ssh", "-q", *KEYS, "-o", f'UserKnownHostsFile="{PROJECT}/.lab/known_hosts"', "vagrant@10.77.0.112"]


@pytest.fixture(scope="module", autouse=True)
def tests_on_the_vm(host):
    """Bring the tests and pytest, which is Python alone; the model is there."""
    modules = ["pytest", "_pytest", "py.py", "pluggy", "iniconfig", "packaging", "pygments"]
    site = Path(importlib.util.find_spec("pytest").origin).parents[1]
    host.check_output(f"rm -rf {FOLDER} && mkdir -p {FOLDER}/models")
    host.check_output(f"ln -s /var/lib/quartet/models/*.safetensors {FOLDER}/models/resnet18_cifar10.safetensors")
    tar = ["tar", "--create", "--exclude=__pycache__", f"--directory={PROJECT}/vm_apps", "tests", f"--directory={site}", *modules]
    with subprocess.Popen(tar, stdout=subprocess.PIPE) as sent:
        subprocess.run([*SSH, f"sudo tar --extract --no-same-owner --directory={FOLDER}"], stdin=sent.stdout, check=True)
    yield
    host.check_output(f"rm -rf {FOLDER}")


def test_versions_are_those_of_the_lock(host):
    code = "import torch, torchvision; print(torch.__version__, torchvision.__version__)"
    found = host.check_output(f"/opt/quartet/torch/current/bin/python -c '{code}'")
    assert [part.split("+")[0] for part in found.split()] == ["2.15.0", "0.29.2"]


def test_the_tests_that_need_torch_pass(host):
    result = host.run(
        f"cd {FOLDER} && PYTHONPATH={FOLDER} PYTHONDONTWRITEBYTECODE=1 timeout 300 {PYTHON} -m pytest -q -p no:cacheprovider "
        "tests/test_classifier.py tests/test_train.py"
    )
    assert result.rc == 0, result.stdout[-4000:] + result.stderr[-1000:]
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout


def test_a_model_is_trained_and_fits(host):
    trained = host.run(
        f"timeout 300 {PYTHON} -m quartet.cli train --output {FOLDER}/own.safetensors --glyphs 96 --epochs 1 --batch-size 32 --device cpu"
    )
    assert trained.rc == 0, trained.stdout + trained.stderr[-2000:]
    checked = host.run(f"{PYTHON} -m quartet.cli model check {FOLDER}/own.safetensors")
    assert checked.rc == 0, checked.stdout + checked.stderr
