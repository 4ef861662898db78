"""Scratch topics, ACLs and a database for benchmarks, separate from the pipeline's data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import yaml

from benchmarks import lab
from benchmarks.results import ROOT
from tests.phases import MACHINES

TOPIC: Final = "bench-images"
DATABASE: Final = "quartet_bench"
#: A user with access to this database only, with the password of the DB consumer
USER: Final = "bench"


@contextmanager
def topic() -> Iterator[str]:
    """Create a topic like `images` that the producer may write and the DB consumer read; remove it and its consumer groups at the end."""
    try:
        lab.python("vm3", "kafka", "scratch_topic.py", "make", TOPIC)
        yield TOPIC
    finally:
        lab.python("vm3", "kafka", "scratch_topic.py", "drop", TOPIC)


@contextmanager
def database() -> Iterator[str]:
    """Create a database whose collections have the validators and indexes of the pipeline's; drop it at the end."""
    try:
        recreate_database()
        yield DATABASE
    finally:
        _database("drop")


def recreate_database() -> None:
    """Drop the database and create it empty."""
    _database("make")


def secrets() -> dict[str, Any]:
    """Return the passwords of the lab's inventory."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "inventory/lab/secrets/secrets.yml").read_text())["secrets_values"]
    return values


def _database(verb: str) -> None:
    given = {"admin": secrets()["mongodb_admin_password"], "user": secrets()["mongodb_db_consumer_password"], "host": MACHINES["vm1"]}
    lab.python("vm1", "mongodb", "scratch_database.py", verb, DATABASE, USER, given=given, seconds=1800)
