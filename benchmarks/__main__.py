"""Run a benchmark by its name, with its own options (`--keep` stores the results); without a name, list them."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from typing import Final

from benchmarks import results

#: In the order of the list; blank_machine removes the lab and is only run by its name.
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


def main(arguments: Sequence[str]) -> int:
    """Run the named benchmark with its own options; return 0 if every goal is met."""
    keep = "--keep" in arguments
    arguments = [word for word in arguments if word != "--keep"]
    if not arguments or arguments[0] not in MEASURES:
        print("python -m benchmarks [--keep] MEASURE [--help]\n")
        for name in MEASURES:
            print(f"  {name:14}{(importlib.import_module(f'benchmarks.{name}').__doc__ or '').splitlines()[0]}")
        return 0 if not arguments else 2
    # so that stopped units are started again and created objects are removed, also if a time limit ends this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    measure = importlib.import_module(f"benchmarks.{arguments[0]}")
    rows: list[results.Row] = measure.measure(arguments[1:])
    results.show(rows)
    if keep:
        results.keep(rows, _server() if getattr(measure, "NEEDS_THE_LAB", True) else "no server")
        print(f"\nkept in {results.KEPT} and {results.PAGE}")
    return 0 if all(row.met for row in rows) else 1


def _server() -> str:
    from benchmarks import lab  # noqa: PLC0415 (a benchmark without the lab does not need its dependencies)

    return lab.database_server()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
