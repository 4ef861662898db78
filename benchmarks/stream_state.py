"""Bits per image that the stream keeps to count each image once: in order, shuffled, with duplicates."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from itertools import chain

from quartet.counting.sequences import SeenSequences

from benchmarks.results import Goal, Row

NEEDS_THE_LAB = False


def measure(arguments: Sequence[str]) -> list[Row]:
    """Add a run's sequences to the set in the stream's state, and measure its maximum serialised size."""
    parser = argparse.ArgumentParser(prog="stream_state", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=1_000_000, help="images in the run")
    options = parser.parse_args(arguments)
    images = options.images
    rows = []
    for name, late in (
        ("in order", 0),
        ("late by up to 20,000, each third one twice", 20_000),
        ("in any order, each third one twice", images),
    ):
        largest: list[float] = []
        end: list[float] = []
        rates: list[float] = []
        for seed in range(options.rounds):
            seen = SeenSequences()
            peak, begin = 0, time.monotonic()
            for at, sequence in enumerate(arrivals(images, late, seed)):
                seen.add(sequence)
                if at % (images // 50) == 0:
                    peak = max(peak, len(seen.to_bytes()))
            rates.append((at + 1) / (time.monotonic() - begin))
            stored = seen.to_bytes()
            if len(seen) != images or len(SeenSequences.from_bytes(stored)) != images:
                raise SystemExit(f"{len(seen)} of {images} were counted")
            largest.append(8 * max(peak, len(stored)) / images)
            end.append(8 * len(stored) / images)
        sides = {"at the end bits/image": end, "records/s": rates}
        rows.append(Row("stream_state", f"largest state, {images:,} images {name}", Goal("<=", 1.01, " bit/image"), largest, sides))
    return rows


def arrivals(images: int, late: int, seed: int) -> Iterator[int]:
    """Yield every sequence at least once; within `late` of its place, and each third one twice, if `late` is not 0."""
    if late == 0:
        yield from range(images)
        return
    chance = random.Random(seed)
    for begin in range(0, images, late):
        window = range(begin, min(begin + late, images))
        yield from chance.sample(both := [*chain(window, window[::3])], len(both))
