"""Peak memory and time of `quartet verify` for a run of a million images, with a fault for each of its rules."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import ROOT, Goal, Row

NEEDS_THE_LAB = False


def measure(arguments: Sequence[str]) -> list[Row]:
    """Verify a synthetic run in a process of its own."""
    parser = argparse.ArgumentParser(prog="verify", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--images", type=int, default=1_000_000, help="images in the run")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        found = [verify(options.images, Path(folder)) for _ in range(options.rounds)]
    for one in found:
        missed = [number for number, state in one["states"].items() if state != ("pending" if number == "6" else "broken")]
        if missed:
            raise SystemExit(f"the faults planted for the rules {missed} were not found: {one['findings']}")
    what = f"{options.images:,} images, a fault for each rule found"
    load = f"nice {os.nice(0)}, load of the machine {os.getloadavg()[1]:.0f}"
    note = f"Making and encoding the records is included, transport by Kafka and MongoDB is not; {load}"
    sides = {
        "CPU s": [one["cpu_seconds"] for one in found],
        "of which judging took s": [one["judged_seconds"] for one in found],
        "file bytes/image": [one["disk_bytes_per_image"] for one in found],
    }
    return [
        Row("verify", f"peak memory of the process, {what}", Goal("<=", 512, " MiB"), [one["memory_mib"] for one in found], {}, note),
        Row("verify", f"time, {what}", Goal("<=", 10, " min"), [one["seconds"] / 60 for one in found], sides, note),
    ]


def verify(images: int, folder: Path, *options: str) -> dict[str, Any]:
    """Verify a synthetic run in a process of its own; see `benchmarks.synthetic_servers.main`."""
    command = [sys.executable, "-m", "benchmarks.synthetic_servers", str(images), str(folder), *options]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'vm_apps/src'}:{ROOT}"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
