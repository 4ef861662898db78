"""Run a measure by its name, with its own options (`--keep` keeps what it found); without a name, list them."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from typing import Final

from benchmarks import results

#: In the order in which a reader asks; blank_machine takes the lab down and is only run by its name.
MEASURES: Final = (
    "second_run",
    "latency",
    "inference",
    "db_consumer",
    "producer",
    "stream_state",
    "spark_batch",
    "growth",
    "cuda",
    "blank_machine",
)


def main(words: Sequence[str]) -> int:
    """Run the measure that is named, with its own options, and say whether every goal is met."""
    keep = "--keep" in words
    words = [word for word in words if word != "--keep"]
    if not words or words[0] not in MEASURES:
        print("python -m benchmarks [--keep] MEASURE [--help]\n")
        for name in MEASURES:
            print(f"  {name:14}{(importlib.import_module(f'benchmarks.{name}').__doc__ or '').splitlines()[0]}")
        return 0 if not words else 2
    # so that what rests is started again, and what was made goes, also where a time limit ends this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    measure = importlib.import_module(f"benchmarks.{words[0]}")
    rows: list[results.Row] = measure.measure(words[1:])
    results.show(rows)
    if keep:
        results.keep(rows, _server() if getattr(measure, "NEEDS_THE_LAB", True) else "no server")
        print(f"\nkept in {results.KEPT} and {results.PAGE}")
    return 0 if all(row.met for row in rows) else 1


def _server() -> str:
    from benchmarks import lab  # noqa: PLC0415 (a measure without the lab does without what the lab needs)

    return lab.database_server()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
