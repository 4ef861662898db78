"""CPU time per image and memory of every unit while the number of stored images grows, block by block."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks import lab
from benchmarks.results import Goal, Row, number, ratios

#: All units that process an image; the stream's executor runs in the unit of the Spark worker
_UNITS = {
    "vm1": ("mongod",),
    "vm2": ("quartet-db-consumer@images", "quartet-db-consumer@inferences", "quartet-spark-stream", "spark-worker"),
    "vm3": ("kafka",),
    "vm4": ("quartet-inference",),
}


def measure(arguments: Sequence[str]) -> list[Row]:
    """Send blocks of equal size through the whole pipeline; compare the last five with the first five."""
    parser = argparse.ArgumentParser(prog="growth", description=__doc__)
    parser.add_argument("--images", type=int, default=50_000, help="images in total")
    parser.add_argument("--blocks", type=int, default=10)
    options = parser.parse_args(arguments)
    block = options.images // options.blocks
    costs: list[dict[str, float]] = []
    memory: list[dict[str, float]] = []
    with lab.units_stopped(vm2="quartet-spark-batch.timer"):
        # warm-up, not measured
        _send_and_wait(min(block, 1000))
        for at in range(options.blocks):
            before = _read_costs()
            _send_and_wait(block)
            after = _read_costs()
            if again := [unit for unit in before if after.get(unit, (0.0, 0.0))[0] < before[unit][0]]:
                raise SystemExit(
                    f"restarted during the measurement, so the results cannot be compared: {', '.join(again)}; see the journal"
                )
            costs.append({unit: 1000 * (after[unit][0] - before[unit][0]) / block for unit in before})
            memory.append({unit: after[unit][1] / 2**20 for unit in after})
            print(
                f"{(at + 1) * block:>9,} images: {sum(costs[-1].values()):.2f} ms of CPU per image, {sum(memory[-1].values()):.0f} MiB",
                flush=True,
            )
    size = f"{block * options.blocks:,} images in blocks of {block:,}"
    half = min(5, options.blocks // 2)
    return [
        _row("CPU time per image", "ms", costs[:half], costs[-half:], size),
        _row("memory of all units", "MiB", memory[:half], memory[-half:], size),
    ]


def _row(what: str, unit: str, first: Sequence[Mapping[str, float]], last: Sequence[Mapping[str, float]], size: str) -> Row:
    sums = [[sum(values.values()) for values in part] for part in (first, last)]
    each = "; ".join(
        f"{name} {number(median(values[name] for values in first))} to {number(median(values[name] for values in last))}"
        for name in first[0]
    )
    return Row(
        "growth",
        f"{what}: last blocks against the first, {size}",
        Goal("<=", 1.10),
        ratios(sums[1], sums[0]),
        {f"first blocks {unit}": sums[0], f"last blocks {unit}": sums[1]},
        each,
    )


def _send_and_wait(images: int) -> None:
    """Send images and wait until each one is stored, classified, stored again and counted."""
    before = _stored()
    lab.send(images)
    lab.wait_until(lambda: _stored() >= before + images, 540, every=2)
    lab.wait_until_drained(120)


def _stored() -> float:
    return lab.total("vm2", 9212, "quartet_records_total", outcome="stored")


def _read_costs() -> dict[str, tuple[float, float]]:
    """Return seconds of CPU and bytes of anonymous memory of each unit."""
    found = {}
    for machine, units in _UNITS.items():
        for line in lab.python(machine, "", "unit_costs.py", *units).splitlines():
            unit, seconds, memory = line.split()
            found[unit] = (float(seconds), float(memory))
    return found
