"""The scenario's machine, emulated with a kernel of its own from its first test to its last."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.disk import make_disk
from kernel.machine import Machine, say

NAME, ADDRESS = "quartet-kernel", "10.77.0.140"


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """The machine after its first boot."""
    assert os.geteuid() == 0, "run it as root: it reads a machine's disk and makes a network interface"
    disk = make_disk(NAME, Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "emulated")
    say(f"disk of {disk.image.stat().st_blocks // 2048} MiB, {disk.kernel.stat().st_size >> 20} MiB of kernel")
    emulated = Machine(NAME, ADDRESS, disk)
    try:
        emulated.start()
        yield emulated
    finally:
        emulated.remove()
        disk.image.unlink()
