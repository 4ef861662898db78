"""Fixtures shared by the phases of `make test`: the host's set-up, the lab, and commands on its machines.

The phases run in the order of their files. `-k` or a file's name runs one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest
from phases import LOCALE, Command, on_machine, run

os.environ.update(LOCALE)


@pytest.fixture(scope="session")
def command() -> Command:
    """Return a function that runs a command, fails with the end of its output, and returns all of it."""

    def checked(*words: str, seconds: int = 600, **environment: str) -> str:
        result = run(*words, seconds=seconds, **environment)
        assert result.returncode == 0, f"{' '.join(words)} ended with {result.returncode}:\n{result.stdout[-6000:]}"
        return result.stdout

    return checked


@pytest.fixture(scope="session")
def host(command: Command) -> None:
    """Set up the bridge, the box and the cache of downloads."""
    command("lab/setup-host", seconds=900)
    for debian in ("12", "13"):  # molecule/default has a VM of Debian 13
        command(sys.executable, "lab/cache", seconds=1800, QUARTET_DEBIAN=debian)
    command("lab/box", seconds=600)


@pytest.fixture(scope="session")
def lab(host: None, command: Command) -> str:
    """Bring the four-VM lab up by `make lab`, as a user does, and return what it printed. It stays up: `make lab-down` removes it."""
    return command("make", "lab", seconds=2400)


@pytest.fixture(scope="session")
def ssh(lab: str) -> Callable[..., str]:
    """Return a function that runs a command as root on a machine of the lab."""

    return on_machine
