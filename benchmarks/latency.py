"""Milliseconds from capture to the stored inference, for 1 and for 5 producers of one image per second each."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence

from benchmarks import lab
from benchmarks.results import Goal, Row

_PORT = 9212
_HISTOGRAM = "quartet_end_to_end_seconds_bucket"
#: Number of producers, and the goal in ms
_GOALS = {1: 33.0, 5: 100.0}
_SETTLE_SECONDS = 20


def measure(arguments: Sequence[str]) -> list[Row]:
    """Let paced producers send, and read the histogram that the DB consumer of the inferences keeps.

    It observes an image when the database has acknowledged its inference, on the clock of the host that all the lab's VMs share. In
    each round everything is measured twice: with all units running, and without the two Spark jobs, which compute on the same cores.
    """
    parser = argparse.ArgumentParser(prog="latency", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=40, help="seconds per round, for each number of producers")
    options = parser.parse_args(arguments)
    found: dict[tuple[str, int], list[Sequence[float]]] = {(spark, number): [] for spark in ("runs", "rests") for number in _GOALS}
    for _ in range(options.rounds):
        for number in _GOALS:
            found["runs", number].append(_quantiles(number, options.seconds))
        with lab.units_stopped(vm2=lab.SPARK):
            for number in _GOALS:
                found["rests", number].append(_quantiles(number, options.seconds))
        # the start of the stream's driver is not part of the measurement
        lab.wait_until(lambda: lab.on("vm2", "systemctl is-active quartet-spark-stream || true").strip() == "active", 120)
        time.sleep(_SETTLE_SECONDS)
    return [_row(number, spark, seen, options.seconds) for (spark, number), seen in found.items()]


def _row(number: int, spark: str, seen: Sequence[Sequence[float]], seconds: int) -> Row:
    medians, p95, worst = (list(values) for values in zip(*seen, strict=True))
    return Row(
        "latency",
        f"p95 from capture to stored inference, {number} producer{'s' if number > 1 else ''} of 1 image/s, Spark {spark}",
        Goal("<", _GOALS[number], " ms"),
        p95,
        {"median ms": medians, "slowest ms (upper edge of its bucket)": worst},
        f"{number * seconds} images per round, from the first one on",
    )


def _quantiles(number: int, seconds: int) -> list[float]:
    """Return the median, the 95th percentile and the slowest of a round, in ms."""
    before = _buckets()
    with lab.producers(number, count=seconds, rate=1.0):
        time.sleep(seconds)
        _wait_for(number * seconds, before)
    seen = {edge: count - before.get(edge, 0) for edge, count in _buckets().items()}
    return [1000 * _quantile(seen, share) for share in (0.5, 0.95, 1.0)]


def _buckets() -> dict[float, float]:
    return {float(labels["le"]): value for labels, value in lab.metric("vm2", _PORT, _HISTOGRAM)}


def _wait_for(images: int, before: Mapping[float, float]) -> None:
    infinite = float("inf")
    lab.wait_until(lambda: _buckets()[infinite] - before.get(infinite, 0) >= images, 60)


def _quantile(cumulative: Mapping[float, float], share: float) -> float:
    """Return the quantile of a cumulative histogram {upper edge: count}, linear within its bucket, as Prometheus does."""
    edges = sorted(cumulative)
    wanted = share * cumulative[edges[-1]]
    low, below = 0.0, 0.0
    for edge in edges:
        if cumulative[edge] >= wanted:
            if edge == float("inf"):
                return low
            return low + (edge - low) * (wanted - below) / max(1.0, cumulative[edge] - below)
        low, below = edge, cumulative[edge]
    return low
