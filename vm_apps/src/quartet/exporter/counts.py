"""What is stored and counted: the results of stream and batch, and the images that have no inference yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pymongo
from prometheus_client import Metric

from quartet.counting.totals import Totals
from quartet.exporter import names
from quartet.mongodb import client as mongodb_client
from quartet.runtime.settings import Collections

# Counting the inferences of a model reads an index, so it is done at most this often, and only when documents were added.
_COUNT_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Results:
    """One collection of counts: each producer's totals, when they were written (seconds since the epoch), and up to which offsets."""

    totals: Mapping[int, Totals]
    written_at: float
    offsets: Mapping[int, int]


@dataclass(frozen=True)
class Counts:
    """One poll."""

    families: list[Metric]
    stream: Results
    batch: Results


class CountsPoll:
    """Reads the counts. `model`: the first 12 hex digits of the model's SHA-256."""

    def __init__(
        self,
        client: pymongo.MongoClient[dict[str, Any]],
        collections: Collections,
        model: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._images = client[collections.image_database]
        self._results = client[collections.results_database]
        self._collections = collections
        self._model = model
        self._clock = clock
        self._counted: tuple[int, int] | None = None
        self._counted_at = 0.0
        self._inferred = 0

    def poll(self) -> Counts:
        """Ask the database.

        Raises:
            Unavailable: it does not answer.
            QuartetError: CREDENTIALS.
        """
        names_ = self._collections
        with mongodb_client.translate_errors():
            stream = results(self._results[names_.stream_collection].find({}))
            batch = results(self._results[names_.batch_collection].find({}))
            stored, inferred = self._stored()
        families = [
            names.STORED.value(stored),
            names.INFERRED.value(inferred),
            names.PENDING.value(max(0, stored - inferred)),
            *_families({"stream": stream, "batch": batch}),
        ]
        return Counts(families, stream, batch)

    def _stored(self) -> tuple[int, int]:
        """Return the number of stored images, and of stored inferences of the model."""
        images = self._images.command("collStats", self._collections.image_collection)["count"]
        inferences = self._results.command("collStats", self._collections.inference_collection)["count"]
        now = self._clock()
        if self._counted is None or (self._counted != (images, inferences) and now - self._counted_at >= _COUNT_SECONDS):
            collection = self._results[self._collections.inference_collection]
            self._inferred = collection.count_documents({"model": self._model})
            self._counted, self._counted_at = (images, inferences), now
        return self._counted[0], self._inferred


def results(documents: Iterable[Mapping[str, Any]]) -> Results:
    """Return the counts of a collection's documents."""
    rows = list(documents)
    # All of the stream's documents are written together; while one is missing the others' offsets are the same.
    offsets = rows[0].get("offsets", {}) if rows else {}
    return Results(
        {row["producer_id"]: Totals(row["total_count"], row["incorrect_count"]) for row in rows},
        max((row["updated_at"] for row in rows), default=0) / 1_000_000,
        {int(partition): int(offset) for partition, offset in offsets.items()},
    )


def _families(sources: Mapping[str, Results]) -> Iterator[Metric]:
    rows = [((producer, source), total) for source, found in sources.items() for producer, total in sorted(found.totals.items())]
    yield names.INCORRECT.of((labels, total.incorrect) for labels, total in rows)
    yield names.COUNTED.of((labels, total.total) for labels, total in rows)
    yield names.COUNTED_AT.of(((source,), found.written_at) for source, found in sources.items() if found.totals)
