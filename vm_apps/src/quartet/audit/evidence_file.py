"""The evidence as a file: a DuckDB database with the tables of sql/tables.sql, which may be larger than memory.

It is filled in batches; then `derive` computes what the rules need, and adds them (sql/derive.sql, rules.sql, figures.sql).
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
import numpy as np

from quartet.audit.evidence import (
    DeadLetter,
    ImageRecord,
    InferenceRecord,
    Ledger,
    LogCut,
    Offsets,
    Place,
    Result,
    StoredImage,
    StoredInference,
    TopicRange,
)
from quartet.runtime.errors import ExitCode, QuartetError

MEMORY_LIMIT: Final = "192MiB"
"""What DuckDB may hold in memory; the process needs some 150 MiB besides."""
THREADS: Final = 2
BATCH: Final = 5_000
"""Rows per insertion."""

Row = ImageRecord | InferenceRecord | StoredImage | StoredInference | DeadLetter | LogCut
_TABLES: Final[Mapping[type[Any], str]] = {
    ImageRecord: "images",
    InferenceRecord: "inferences",
    StoredImage: "stored_images",
    StoredInference: "stored_inferences",
    DeadLetter: "dead_letters",
    LogCut: "log_cuts",
}
#: Columns that are never NULL, as numpy's own types; every other column is an array of objects.
_NUMBERS: Final[Mapping[str, type[Any]]] = {
    **dict.fromkeys(("sequence", "captured_at", "appended_at", "inferred_at", "received_at", "offset"), np.int64),
    **dict.fromkeys(("producer_id", "partition"), np.int32),
    "confidence": np.float64,
}
ItemT = TypeVar("ItemT")


class EvidenceFile:
    """The evidence of one audit. Every method raises QuartetError (DISK) if the disk is full.

    `folder` is created by the caller and removed by it; all that DuckDB writes is in it.
    """

    def __init__(self, folder: Path, *, memory_limit: str = MEMORY_LIMIT) -> None:
        with _disk_errors(folder):
            self._connection = duckdb.connect(
                str(folder / "evidence.duckdb"),
                config={
                    "memory_limit": memory_limit,
                    "threads": THREADS,
                    "temp_directory": str(folder / "spill"),
                    # nothing is fetched from anywhere
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                },
            )
        self._folder = folder
        self._run_file("tables.sql")

    def close(self) -> None:
        """Close the file; it stays where it is."""
        self._connection.close()

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Append records or documents of one kind to their table."""
        for batch in batches(rows, BATCH):
            names = [column.name for column in fields(batch[0])]
            self._insert(_TABLES[type(batch[0])], {name: list(map(attrgetter(name), batch)) for name in names})

    def add_bad_records(self, topic: str, places: Iterable[Place]) -> None:
        """Append the places of records that break their contract. `topic`: images or inferences, whatever the topic's name."""
        self._insert_tuples("bad_records", ("topic", "partition", "offset"), ((topic, *place) for place in places))

    def add_ledger(self, ledger: Ledger) -> None:
        """Append a producer's ledger."""
        who = (ledger.producer_id, ledger.run)
        self._insert_tuples(
            "ledgers",
            ("producer_id", "run", "high_water", "finished", "dataset"),
            [(*who, ledger.high_water, ledger.finished, json.dumps(dict(ledger.dataset)))],
        )
        ranges = ((*who, *piece) for piece in ledger.acknowledged.ranges())
        self._insert_tuples("acknowledged", ("producer_id", "run", "first", "stop"), ranges)
        digests = ((*who, at // 32, ledger.digests[at : at + 32]) for at in range(0, len(ledger.digests), 32))
        self._insert_tuples("sent_digests", ("producer_id", "run", "sequence", "digest"), digests)

    def add_results(self, job: str, results: Iterable[Result]) -> None:
        """Append the counts of a job: batch or stream."""
        for one in results:
            columns = ("producer_id", "total", "incorrect", "model", "updated_at")
            self._insert_tuples(job, columns, [(one.producer_id, one.total, one.incorrect, one.model, one.updated_at)])
            if job == "stream":
                places = [(one.producer_id, *offset) for offset in (one.offsets or {}).items()]
                self._insert_tuples("stream_offsets", ("producer_id", "partition", "offset"), places)

    def add_range(self, topic: str, extent: TopicRange) -> None:
        """Append the range of a topic that was read."""
        rows = [(topic, part, extent.begin.get(part, 0), end) for part, end in extent.end.items()]
        self._insert_tuples("ranges", ("topic", "partition", "begin_offset", "end_offset"), rows)

    def add_committed(self, committed: Mapping[str, Offsets]) -> None:
        """Append the offsets that the groups images, inferences and inference have committed."""
        rows = [(group, *offset) for group, offsets in committed.items() for offset in offsets.items()]
        self._insert_tuples("committed", ("reader", "partition", "offset"), rows)

    def describe(self, *, taken_at: int, model: str, images_topic: str, inferences_topic: str) -> None:
        """Write when reading began, the model that is counted, and the names of the topics."""
        columns = ("taken_at", "model", "images_topic", "inferences_topic")
        self._insert_tuples("pipeline", columns, [(taken_at, model, images_topic, inferences_topic)])

    def add_versions(self, versions: Mapping[str, str]) -> None:
        """Append what ran where."""
        self._insert_tuples("versions", ("name", "value"), versions.items())

    def derive(self) -> None:
        """Compute what the rules need, and add the rules. Once, after everything was added."""
        for name in ("derive.sql", "rules.sql", "figures.sql"):
            self._run_file(name)

    def query(self, sql: str, *parameters: Any) -> list[Any]:
        """Return the rows of a query; a small number of them is expected."""
        with _disk_errors(self._folder):
            return self._connection.execute(sql, parameters).fetchall()

    def export(self, folder: Path) -> list[str]:
        """Write every table as `<table>.parquet` into a folder; return their names.

        Raises:
            QuartetError: DISK, the folder cannot be written or the disk is full.
        """
        tables = [name for (name,) in self.query("SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY table_name")]
        with _disk_errors(folder, "--output"):
            for table in tables:
                self._connection.table(table).write_parquet(str(folder / f"{table}.parquet"), compression="zstd")
        return tables

    def _insert_tuples(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        for batch in batches(rows, BATCH):
            self._insert(table, dict(zip(columns, zip(*batch, strict=True), strict=True)))

    def _insert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Insert by numpy arrays, the fastest way without another library: docs/performance.md."""
        arrays = {}
        for name, values in columns.items():
            arrays[name] = np.empty(len(values), dtype=_NUMBERS.get(name, object))
            arrays[name][:] = values
        with _disk_errors(self._folder):
            self._connection.register("arriving", arrays)
            self._connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM arriving")  # noqa: S608 (names of our own tables)
            self._connection.unregister("arriving")

    def _run_file(self, name: str) -> None:
        sql = importlib.resources.files("quartet.audit").joinpath("sql", name).read_text(encoding="utf-8")
        with _disk_errors(self._folder):
            self._connection.execute(sql)


@contextmanager
def _disk_errors(folder: Path, option: str = "--work") -> Iterator[None]:
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        reason = str(error).splitlines()[0]
        message = f"cannot keep the evidence in {folder}: {reason}. Free disk space there, or name another folder with {option}"
        raise QuartetError(ExitCode.DISK, message) from error


def batches(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    """Yield items in lists of at most `size`; no empty list."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch
