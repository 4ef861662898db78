"""The inference unit, from Kafka to Kafka, against the raw forward pass of its model: same type, batch, threads and cores."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks import lab
from benchmarks.results import Goal, Row, ratios

_PORT = 9221
_BATCH = 128


def measure(arguments: Sequence[str]) -> list[Row]:
    """In each round: fill the topic, let the unit process it, stop the unit, run the raw pass. Other computing units are stopped."""
    parser = argparse.ArgumentParser(prog="inference", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=5000, help="images per round")
    options = parser.parse_args(arguments)
    unit: list[float] = []
    raw: list[float] = []
    with lab.units_stopped(vm2=lab.COUNTING, vm4="quartet-inference"):
        for _ in range(options.rounds):
            lab.send(options.images)
            lab.on("vm4", "systemctl start quartet-inference")
            samples = lab.watch("vm4", _PORT, "quartet_records_acknowledged_total", options.images)
            lab.on("vm4", "systemctl stop quartet-inference")
            unit.append(lab.rate_in_the_middle(samples, options.images))
            raw.append(float(lab.python("vm4", "inference", "raw_inference.py", max(1, options.images // _BATCH))))
    sides = {"unit images/s": unit, "raw images/s": raw}
    note = f"{options.images} images per round; Kafka and TLS run on the same cores"
    return [Row("inference", "inference unit against the raw forward pass", Goal(">=", 0.95), ratios(unit, raw), sides, note)]
