"""Minutes from no machine to the first counted inferences, with the downloads in the cache. It removes the lab first."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from benchmarks import lab
from benchmarks.results import Goal, Row


def measure(arguments: Sequence[str]) -> list[Row]:
    """Time `make lab` after `make lab-down`; the clock ends at the time that the batch wrote into its first documents."""
    parser = argparse.ArgumentParser(prog="blank_machine", description=__doc__)
    parser.add_argument("--remove-the-lab", action="store_true", required=True, help="confirm that the lab and all its data may be removed")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args(arguments)
    counted: list[float] = []
    verified: list[float] = []
    for _ in range(options.rounds):
        lab.project("make", "lab-down")
        begin = time.time()
        seconds, _ = lab.project("make", "lab", seconds=3600)
        counted.append((float(lab.python("vm2", "db_consumer", "first_count.py")) - begin) / 60)
        verified.append(seconds / 60)
    note = "apt, pip and Maven downloads in the cache, the box built; 2,000 images are sent, and the batch counts when all are stored"
    sides = {"to the verified report min": verified}
    return [Row("blank_machine", "from no machine to the first counted inferences", Goal("<=", 6, " min"), counted, sides, note)]
