"""What the phases of `make test` share: the host's set-up, the lab, and a way to its machines.

The phases run in the order of their files. `-k` or a file's name runs one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from phases import ROOT, Command, run


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
    """See to the bridge, the box and the cache of downloads."""
    command("lab/setup-host", seconds=900)
    command(sys.executable, "lab/cache", seconds=1800)
    command("lab/box", seconds=600)


@pytest.fixture(scope="session")
def lab(host: None, command: Command) -> str:
    """Bring the four-VM lab up by `make lab`, as a user does, and return what it printed. It stays up: `make lab-down` removes it."""
    return command("make", "lab", seconds=2400)


@pytest.fixture(scope="session")
def ssh(lab: str) -> Callable[..., str]:
    """Return a function that runs a command as root on a machine of the lab."""

    def on(machine: str, words: str, *, check: bool = True) -> str:
        number = {"vm1": 11, "vm2": 12, "vm3": 13, "vm4": 14}[machine]
        result = subprocess.run(
            [
                "ssh",
                "-q",
                "-i",
                ".lab/id_ecdsa",
                "-o",
                "UserKnownHostsFile=.lab/known_hosts",
                f"vagrant@10.77.0.{number}",
                "sudo",
                "sh",
                "-s",
            ],
            input=words,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or result.returncode == 0, f"{machine}: {words}\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
        return result.stdout

    return on
