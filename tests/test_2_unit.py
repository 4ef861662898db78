"""Phase 2: `make test-fast`. No VM, no root, no systemd-python; less than eight minutes on two slow cores."""

from __future__ import annotations

import time

from phases import Command


def test_the_unit_tests_pass_quickly(command: Command) -> None:
    begin = time.monotonic()
    print(command("pytest", "-q", "-n", "2", "--dist", "loadfile", "vm_apps/tests", "spark/tests", "tests/unit", seconds=900)[-2000:])
    assert time.monotonic() - begin < 480
