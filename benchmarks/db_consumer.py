"""The DB consumer, from Kafka to the database, against a raw PyMongo loop of the same documents on the same server."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks import lab, scratch
from benchmarks.results import Goal, Row, ratios

_PORT = 9291
_UNIT = "quartet-db-consumer@bench"


def measure(arguments: Sequence[str]) -> list[Row]:
    """Fill a topic once; in each round the unit stores all of it in an empty collection, then the loop does."""
    parser = argparse.ArgumentParser(prog="db_consumer", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=20_000, help="images in the topic")
    options = parser.parse_args(arguments)
    unit: list[float] = []
    raw: list[float] = []
    with lab.units_stopped(vm2=lab.COUNTING, vm4="quartet-inference"), scratch.topic() as topic, scratch.database() as database:
        settings = lab.settings_of("vm2", "/etc/quartet/db_consumer/images.json")
        settings["topics"]["images"] = topic
        settings["collections"]["image_database"] = database
        settings["mongodb"]["user"] = scratch.USER
        settings |= {"group_instance_id": "bench", "metrics_port": _PORT}
        lab.send(options.images, topics=settings["topics"])
        for _ in range(options.rounds):
            scratch.recreate_database()
            with _consumer({**settings, "group": f"bench-{lab.new_run()}"}):
                samples = lab.watch("vm2", _PORT, "quartet_records_total", options.images, label='outcome="stored"')
            unit.append(lab.rate_in_the_middle(samples, options.images))
            scratch.recreate_database()
            given = {"settings": {**settings, "group": "bench"}, "count": options.images}
            raw.append(float(lab.python("vm2", "db_consumer", "raw_db_consumer.py", given=given)))
    sides = {"unit images/s": unit, "loop images/s": raw}
    note = f"{options.images} images per round, insert_many of {settings['batch_size']}, majority and journal, TLS, validator and index"
    return [Row("db_consumer", "DB consumer against PyMongo's insert_many", Goal(">=", 0.90), ratios(unit, raw), sides, note)]


@contextmanager
def _consumer(settings: Mapping[str, Any]) -> Iterator[None]:
    """Run an instance of the unit beside the lab's two."""
    path = "/etc/quartet/db_consumer/bench.json"
    try:
        lab.on("vm2", f"cat > {path} << 'END'\n{json.dumps(settings)}\nEND\nsystemctl start {_UNIT}")
        yield
    finally:
        lab.on("vm2", f"systemctl stop {_UNIT}; rm -f {path}")
