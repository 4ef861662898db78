"""Run a benchmark by its name, with its own options; without a name, all that the lab can run. `--keep` stores the results, `--list` lists."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Final

from benchmarks import results

#: In the order of the list
MEASURES: Final = (
    "second_run",
    "latency",
    "inference",
    "db_consumer",
    "producer",
    "stream_state",
    "spark_batch",
    "verify",
    "growth",
    "cuda",
    "blank_machine",
)
#: Only by their name: one needs a GPU, the other removes the lab.
ALONE: Final = ("cuda", "blank_machine")


def main(arguments: Sequence[str]) -> int:
    """Run the named benchmark, or all; return 0 if every goal is met, 1 if not, 2 for a name that is none."""
    keep = "--keep" in arguments
    arguments = [word for word in arguments if word != "--keep"]
    if arguments and arguments[0] not in MEASURES:
        print("python -m benchmarks [--keep] [MEASURE [--help]]\n")
        for name in MEASURES:
            print(f"  {name:14}{(_module(name).__doc__ or '').splitlines()[0]}")
        return 0 if arguments[0] == "--list" else 2
    # so that stopped units are started again and created objects are removed, also if a time limit ends this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = arguments[:1] or [name for name in MEASURES if name not in ALONE]
    rows = [row for name in names for row in run(name, arguments[1:], keep=keep)]
    if len(names) > 1:
        print("\n" + results.summary(rows))
    return 0 if all(row.met for row in rows) else 1


def run(name: str, options: Sequence[str], *, keep: bool) -> list[results.Row]:
    """Run one benchmark and print its rows. One that needs the lab begins when everything that was sent before is through."""
    measure = _module(name)
    needs_the_lab = getattr(measure, "NEEDS_THE_LAB", True)
    if needs_the_lab:
        from benchmarks import lab  # noqa: PLC0415 (a benchmark without the lab does not need its dependencies)

        if name not in ALONE:
            lab.wait_until_drained()
    rows: list[results.Row] = measure.measure(options)
    results.show(rows)
    if keep:
        results.keep(rows, lab.database_server() if needs_the_lab else "no server")
        print(f"\nkept in {results.KEPT} and {results.PAGE}")
    return rows


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{name}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
