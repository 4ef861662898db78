"""What the phases of `make test` share: commands of the project, and a way to the lab's machines.

The phases run in the order of their files. `-k` or a file's name runs one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
SHARED = ROOT.parent / "shared"

Command = Callable[..., str]


def run(*command: str, seconds: int = 600, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project with the tools of this environment, and print how long it took."""
    begin = time.monotonic()
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1", "YES": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=seconds,
        check=False,
    )
    print(f"{' '.join(command)[:120]}: {time.monotonic() - begin:.0f} s, status {result.returncode}", file=sys.__stderr__, flush=True)
    return result


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
