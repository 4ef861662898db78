"""The roles' settings for a GPU, compared with a machine that has one (H200, driver 580): its /proc/devices, /dev and nvidia-smi."""

from __future__ import annotations

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

from unit_template import rendered

ROOT = Path(__file__).resolve().parents[2]
PROC_DEVICES = {"nvidia": 195, "nvidiactl": 195, "nvidia-uvm": 238, "nvidia-nvswitch": 239, "nvidia-nvlink": 240, "nvidia-caps": 241}
OTHER_DEVICES = {"mem": 1, "tty": 4, "input": 13, "fb": 29, "ptp": 247}
# What CUDA opens: /dev/nvidia0 and nvidiactl have the major number 195, nvidia-uvm and nvidia-uvm-tools 238
OPENED = {195, 238}
# `nvidia-smi --query-gpu=driver_version --format=csv,noheader`
DRIVER = "580.159.04\n"


def unit(*, gpu: bool) -> str:
    described = {"name": "quartet-inference", "description": "inference", "command": "quartet inference", "jit": True, "gpu": gpu}
    return rendered(ROOT / "roles/app/templates/app.service.j2", app_name="inference", app_user="quartet-inference", app_unit=described)


def test_the_unit_may_open_every_device_of_the_card_and_no_other() -> None:
    rules = [line.partition("=")[2].split() for line in unit(gpu=True).splitlines() if line.startswith("DeviceAllow=")]
    assert rules
    assert {rights for _, rights in rules} == {"rw"}
    groups = [group.removeprefix("char-") for group, _ in rules]
    allowed = {number for name, number in (PROC_DEVICES | OTHER_DEVICES).items() if any(fnmatchcase(name, group) for group in groups)}
    assert allowed >= OPENED
    assert not allowed & set(OTHER_DEVICES.values())


def test_without_a_gpu_no_device_is_open() -> None:
    lines = unit(gpu=False).splitlines()
    assert {"PrivateDevices=true", "DevicePolicy=closed"} <= set(lines)
    assert not any(line.startswith("DeviceAllow=") for line in lines)
    assert "PrivateDevices=true" not in unit(gpu=True)
    assert "DevicePolicy=closed" in unit(gpu=True)


def test_the_unit_with_a_gpu_scores_1_6_or_less(tmp_path: Path) -> None:
    file = tmp_path / "quartet-inference.service"
    file.write_text(unit(gpu=True))
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=16", str(file)], capture_output=True, text=True, check=False
    )
    assert judged.returncode == 0, judged.stdout[-300:] + judged.stderr


def test_the_preflight_reads_what_nvidia_smi_says(tmp_path: Path) -> None:
    answers = {
        # a line for each card
        "two": f"#!/bin/sh\nprintf '{DRIVER}{DRIVER}'\n",
        "old": "#!/bin/sh\necho 570.86.15\n",
        "none": None,
    }
    for host, nvidia_smi in answers.items():
        (tmp_path / host).mkdir()
        if nvidia_smi:
            (tmp_path / host / "nvidia-smi").write_text(nvidia_smi)
            (tmp_path / host / "nvidia-smi").chmod(0o755)
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "environment": {"PATH": f"{tmp_path}/{{{{ inventory_hostname }}}}:/usr/bin:/bin"},
        "vars": {"torch_nvidia_driver": "present", "torch_minimum_disk_mb": 0},
        "tasks": [{"name": "Preflight", "ansible.builtin.include_role": {"name": "torch", "tasks_from": "preflight"}}],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    run = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", f"{','.join(answers)},", tmp_path / "play.yml"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ANSIBLE_ROLES_PATH": str(ROOT / "roles"), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = " ".join((run.stdout + run.stderr).split())
    assert "old: nvidia-smi reports driver 570.86.15; torch's CUDA needs 580.65 or newer" in said
    assert "none: there is no working NVIDIA driver (nvidia-smi); torch's CUDA needs 580.65 or newer" in said
    failed = {line.split()[0]: "failed=0" not in line for line in run.stdout.splitlines() if "unreachable=" in line}
    assert failed == {"two": False, "old": True, "none": True}, said
