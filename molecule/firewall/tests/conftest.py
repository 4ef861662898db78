"""What the tests of the firewall share: a reboot."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest


@pytest.fixture
def reboot(host) -> Callable[[], None]:
    """Reboot the VM, and wait until ssh answers from the new boot."""

    def boot() -> str | None:
        try:
            return host.check_output("systemctl show -P UserspaceTimestampMonotonic")
        except RuntimeError:  # testinfra, when ssh itself fails
            return None

    def run() -> None:
        began = boot()
        host.run("systemd-run --on-active=1 systemctl reboot")
        deadline = time.monotonic() + 90
        while boot() in (None, began):
            assert time.monotonic() < deadline, "it did not come back by ssh"
            time.sleep(2)

    return run
