"""What the database says: the server's figures and its replica set, under the names of the mongodb mixin, where the server answers them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pymongo
from prometheus_client import Metric

from quartet.exporter import names
from quartet.exporter.family import Family, Sample
from quartet.mongodb import client as mongodb_client

Document = Mapping[str, Any]


def poll(client: pymongo.MongoClient[dict[str, Any]]) -> list[Metric]:
    """Ask the server.

    Raises:
        Unavailable: it does not answer.
        QuartetError: CREDENTIALS.
    """
    with mongodb_client.translate_errors():
        status = client.admin.command("serverStatus")
        members = client.admin.command("replSetGetStatus")
    return [names.MONGODB_UP.value(1), *server(status), *replica_set(members)]


def server(status: Document) -> Iterator[Metric]:
    """Yield the metrics of serverStatus."""
    yield names.MONGODB_VERSION.of([((status["version"],), 1)])
    yield names.MONGODB_UPTIME.value(status["uptime"])
    yield _numbers(names.CONNECTIONS, status.get("connections"))
    yield _numbers(names.MEMORY, status.get("mem"))
    yield _numbers(names.OPERATIONS, status.get("opcounters"))
    yield _numbers(names.REPLICATED, status.get("opcountersRepl"))
    yield _numbers(names.ASSERTS, status.get("asserts"))
    if "page_faults" in status.get("extra_info", {}):
        yield names.PAGE_FAULTS.value(status["extra_info"]["page_faults"])
    queue = status.get("globalLock", {}).get("currentQueue", {})
    yield names.QUEUE.of(((name.removesuffix("s"),), value) for name, value in queue.items() if name != "total")
    metrics = status.get("metrics", {})
    cursors = metrics.get("cursor", {})
    yield _numbers(names.CURSORS, cursors.get("open"))
    if "timedOut" in cursors:
        yield names.CURSORS_TIMED_OUT.value(cursors["timedOut"])
    yield _numbers(names.DOCUMENTS, metrics.get("document"))
    executor = metrics.get("queryExecutor", {})
    scanned = {"scanned": executor.get("scanned", 0), "scanned_objects": executor.get("scannedObjects", 0)}
    yield _numbers(names.SCANNED, scanned)
    # reads, writes, commands, transactions
    latencies = {name.removesuffix("s"): found for name, found in status.get("opLatencies", {}).items()}
    yield names.LATENCY.of(((name,), found["latency"]) for name, found in latencies.items())
    yield names.LATENCY_OPERATIONS.of(((name,), found["ops"]) for name, found in latencies.items())


def replica_set(status: Document) -> Iterator[Metric]:
    """Yield the metrics of replSetGetStatus."""
    name = status["set"]
    members = [((name, member["name"], member["stateStr"]), member) for member in status["members"]]
    yield names.MY_STATE.of([((name,), status["myState"])])
    yield names.SET_SIZE.of([((name,), len(members))])
    yield names.HEALTH.of((labels, member["health"]) for labels, member in members)
    yield names.OPTIME.of((labels, member["optimeDate"].timestamp()) for labels, member in members if "optimeDate" in member)
    yield names.ELECTION.of((labels, member["electionDate"].timestamp()) for labels, member in members if "electionDate" in member)
    yield names.REPLICATION_LAG.of(_replication_lags(status["members"], name))


def _replication_lags(members: list[Document], name: str) -> Iterator[Sample]:
    primary = next((member for member in members if member["stateStr"] == "PRIMARY"), None)
    for member in members:
        if primary is not None and "optimeDate" in member:
            behind = (primary["optimeDate"] - member["optimeDate"]).total_seconds()
            yield (name, member["name"], member["stateStr"]), max(0.0, behind)


def _numbers(family: Family, found: Document | None) -> Metric:
    """Return a sample for each number of a document, labelled with its name."""
    numbers = {name: value for name, value in (found or {}).items() if isinstance(value, int | float) and not isinstance(value, bool)}
    return family.of(((name,), value) for name, value in numbers.items())
