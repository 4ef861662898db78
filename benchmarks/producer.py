"""The producer unit against kafka-python's own loop: same records, client settings, credentials and VM, in images per second."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks import lab, scratch
from benchmarks.results import Goal, Row, ratios

# What the unit logs just before its first send, and when Kafka has acknowledged everything
_FIRST, _LAST = "connected to Kafka", "is finished"


def measure(arguments: Sequence[str]) -> list[Row]:
    """In each round the unit sends a run at full speed, then the loop sends records of the same kind to the same topic."""
    parser = argparse.ArgumentParser(prog="producer", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=40_000, help="images per round")
    options = parser.parse_args(arguments)
    unit: list[float] = []
    raw: list[float] = []
    with lab.units_stopped(vm2=lab.COUNTING, vm4="quartet-inference"), scratch.topic() as topic:
        topics = {**lab.settings_of("vm2", "/etc/quartet/db_consumer/images.json")["topics"], "images": topic}
        for _ in range(options.rounds):
            # a slice of 100 images is generated once and sent repeatedly under new ids: sending is measured, not generating
            with lab.producers(
                1, run := lab.new_run(), count=options.images, rate=0.0, slice={"index": 0, "of": 100}, topics=topics
            ) as units:
                settings = lab.settings_of("vm3", f"/etc/quartet/producer/{units[0].partition('@')[2]}.json")
                lab.wait_until_finished("vm3", units[0])
                said = lab.journal("vm3", units[0], run)
            begin, end = (next(moment for moment, text in said if word in text) for word in (_FIRST, _LAST))
            unit.append(options.images / (end - begin))
            raw.append(float(lab.python("vm3", "producer", "raw_producer.py", given={"settings": settings})))
    sides = {"unit images/s": unit, "kafka-python's loop images/s": raw}
    note = f"{options.images} images per round, 3,072 bytes and six headers, acks=all, idempotent, TLS and SCRAM"
    return [
        Row("producer", "producer unit against kafka-python's own loop", Goal(">=", 0.90), ratios(unit, raw), sides, note),
        Row("producer", "producer unit's rate (20 producers of 200 images/s)", Goal(">=", 4000, " images/s"), unit),
    ]
