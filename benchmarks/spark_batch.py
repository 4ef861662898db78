"""The batch job's count, by Spark, against the same aggregation in the database; and which columns leave the database."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from benchmarks import lab, scratch
from benchmarks.results import Goal, Row, ratios


def measure(arguments: Sequence[str]) -> list[Row]:
    """Fill a scratch database, start Spark's driver once, then let the two count in turn."""
    parser = argparse.ArgumentParser(prog="spark_batch", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=100_000, help="inferences in the collection")
    options = parser.parse_args(arguments)
    limit = 300 + options.images / 1000 * (1 + options.rounds / 5)
    with lab.units_stopped(vm2=lab.COUNTING, vm4="quartet-inference"), scratch.database() as database:
        settings = lab.settings_of("vm2", "/etc/quartet/spark_jobs/batch.json")
        settings["mongodb"]["user"] = scratch.USER
        given = {"mongodb": settings["mongodb"], "database": database, "count": options.images, "model": settings["model"]}
        lab.python("vm2", "db_consumer", "fill_inferences.py", given=given, seconds=limit)
        changed = {"mongodb": settings["mongodb"], "collections": {**settings["collections"], "results_database": database}}
        printed = lab.python("vm2", "spark_jobs", "spark_batch.py", given={"settings": changed, "rounds": options.rounds}, seconds=limit)
    found = json.loads(printed.splitlines()[-1])
    print(found["scan"])
    sides = {"Spark s": found["counted"], "database's aggregation s": found["aggregated"]}
    limits = [int(word) for word in lab.on("vm1", "systemctl show -P MemoryMax mongod").split() if word.isdigit()]
    memory = f"{min(limits) / 2**20:,.0f} MiB" if limits else "all memory"
    note = f"without the {found['start']:.0f} s that Spark's driver needs to start; the database may use {memory}"
    return [
        Row(
            "spark_batch",
            f"Spark's count of {options.images:,} inferences against the database's aggregation",
            Goal("<=", 2),
            ratios(found["counted"], found["aggregated"]),
            sides,
            note,
        ),
        Row(
            "spark_batch",
            "columns that leave the database for Spark",
            Goal("<=", 4),
            [len(found["columns"])],
            note=", ".join(found["columns"]),
        ),
    ]
