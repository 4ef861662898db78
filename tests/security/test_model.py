"""The model: an altered file stops the unit by name, and a file with code in it is refused without being run.

(Archives of CIFAR-10 with a foreign pickle or a path that leads elsewhere: vm_apps/tests/test_datasets.py.)
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from phases import on_machine
from security.evidence import refused
from security.lab import lines_of

UNIT = "quartet-inference"


@pytest.fixture
def altered(running_lab: None) -> Iterator[float]:
    """Flip one bit in the middle of the unit's model and restart the unit; yields the time. The model is restored afterwards."""
    since = time.time()
    model = on_machine("vm4", "echo /var/lib/quartet/models/*.safetensors").strip()
    assert len(model.split()) == 1
    flip = f"""
import pathlib
with open("{model}", "r+b") as file:
    file.seek(5_000_000)
    byte = file.read(1)[0]
    file.seek(5_000_000)
    file.write(bytes([byte ^ 1]))
"""
    run_flip = f"python3 - << 'END'\n{flip}\nEND"
    on_machine("vm4", run_flip)
    try:
        on_machine("vm4", f"systemctl restart {UNIT}", check=False)
        yield since
    finally:
        on_machine("vm4", f"{run_flip}\nsystemctl restart {UNIT}")


def test_an_altered_model_stops_the_unit(altered: float) -> None:
    line, _ = lines_of("vm4", UNIT, altered, r"has the sha256 [0-9a-f]{64}, but [0-9a-f]{64} is set", r"status=66", seconds=60)
    shown = re.findall(r"[0-9a-f]{64}", line.split("has the sha256")[1])
    assert shown[0] != shown[1]
    refused("a model of which one bit was altered", "quartet-inference: status 66", line)
    assert on_machine("vm4", f"systemctl is-active {UNIT}", check=False).strip() != "active"


_CODE = """
import os, torch

class Bomb:
    def __reduce__(self):
        return os.system, ("touch /run/sec-exploded",)

torch.save({"conv1.weight": torch.zeros(1), "bomb": Bomb()}, "/run/sec.pt")
"""


def test_a_model_with_code_in_it_is_refused_and_not_run() -> None:
    python = "/opt/quartet/inference/current/bin/python -B"
    try:
        on_machine("vm4", f"{python} - << 'END'\n{_CODE}\nEND")
        control = on_machine(
            "vm4",
            f"{python} -c 'import torch; torch.load(\"/run/sec.pt\", weights_only=False)'; ls /run/sec-exploded; rm /run/sec-exploded",
        )
        assert "sec-exploded" in control, "the file does nothing, so it proves nothing"
        answer = on_machine(
            "vm4",
            "/opt/quartet/inference/current/bin/quartet model check /run/sec.pt 2>&1; echo status $?; ls /run/sec-exploded 2>&1 || true",
        )
        assert "status 66" in answer
        assert "not a safetensors file" in answer
        assert "No such file" in answer, "the file was run"
        refused("a .pt file with code in it", "quartet model check: status 66", answer.splitlines()[0])
    finally:
        on_machine("vm4", "rm -f /run/sec.pt /run/sec-exploded")
