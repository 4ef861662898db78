"""Milliseconds from capture to the stored inference, for 1 and for 5 producers of one image a second each."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence

from benchmarks import lab
from benchmarks.results import Goal, Row

_PORT = 9212
_HISTOGRAM = "quartet_capture_to_here_seconds_bucket"


def measure(words: Sequence[str]) -> list[Row]:
    """Let paced producers send, and read the histogram that the DB consumer of the inferences keeps.

    It observes an image when the database has acknowledged its inference, on the clock of the host that all the lab's VMs share.
    """
    parser = argparse.ArgumentParser(prog="latency", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=40, help="of a round, for each number of producers")
    options = parser.parse_args(words)
    goals = {1: 33.0, 5: 100.0}
    found: dict[int, list[float]] = {number: [] for number in goals}
    medians: dict[int, list[float]] = {number: [] for number in goals}
    worst: dict[int, list[float]] = {number: [] for number in goals}
    for _ in range(options.rounds):
        for number in goals:
            before = _buckets()
            with lab.producers(number, count=options.seconds, rate=1.0):
                time.sleep(options.seconds)
                _wait_for(number * options.seconds, before)
            seen = {edge: count - before.get(edge, 0) for edge, count in _buckets().items()}
            for share, into in ((0.95, found), (0.5, medians), (1.0, worst)):
                into[number].append(1000 * _quantile(seen, share))
    return [
        Row(
            "latency",
            f"p95 from capture to stored inference, {number} producer{'s' if number > 1 else ''} of 1 image/s",
            Goal("<", limit, " ms"),
            found[number],
            {"median ms": medians[number], "slowest ms (upper edge of its bucket)": worst[number]},
            f"{number * options.seconds} images a round, from the first one on",
        )
        for number, limit in goals.items()
    ]


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
