"""Commands of the project, as the phases of `make test` run them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

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
