"""How the DB consumers process a batch: each document is inserted once and never changed.

A bulk contains only the record with the lowest offset of an _id: the first record in log order wins. Records that violate their contract,
that the database rejects for good, or whose id is taken by another image go to the dead letters, once, with their cause.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bson import Int64

from quartet.contracts.causes import Cause, ContractError
from quartet.db_consumer.documents import Contract
from quartet.kafka.dead_letters import DeadLetterWriter
from quartet.mongodb.document_store import InsertResult
from quartet.runtime import metrics
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.records import Record
from quartet.worker.write_behind import WriteBehind

log = logging.getLogger(__name__)

Row = tuple[Record, dict[str, Any]]
Refusal = tuple[Record, Cause, str]


class Documents(Protocol):
    """The collection (quartet.mongodb.document_store.DocumentStore)."""

    def insert_missing(self, documents: Sequence[dict[str, Any]]) -> InsertResult:
        """Insert the documents whose _id is missing."""

    def values(self, ids: Sequence[str], field: str) -> dict[str, Any]:
        """Return one field of the existing documents among these ids, by id."""


@dataclass(slots=True)
class Outcome:
    """Result of storing a batch."""

    added: list[Row] = field(default_factory=list)
    present: list[Row] = field(default_factory=list)
    conflicts: list[Refusal] = field(default_factory=list)
    rejected: list[Refusal] = field(default_factory=list)


class StoreStrategy:
    """The worker's strategy: one bulk insert per batch; refused records go to the dead letters."""

    def __init__(
        self,
        contract: Contract,
        documents: Documents,
        dead_letters: DeadLetterWriter,
        *,
        topic_id: Callable[[], str],
        rejections_per_minute: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._contract = contract
        self._documents = documents
        self._dead_letters = dead_letters
        self._find_topic_id = topic_id
        self._topic_id: str | None = None
        self._max_rejections = rejections_per_minute
        self._rejections: deque[float] = deque()
        self._clock = clock
        self._writes: WriteBehind[Outcome] = WriteBehind()
        self._stored = self._duplicates = self._refused = 0

    def process(self, records: Sequence[Record]) -> PendingDocuments:
        """Decode a batch and start storing it.

        Raises:
            Unavailable: a server does not answer; nothing of the batch is committed.
        """
        if self._topic_id is None:
            self._topic_id = self._find_topic_id()
        rows, refusals = self._decode(records)
        writing = self._writes.begin(lambda: self._write(rows))
        return PendingDocuments(lambda: self._finish(self._writes.result(writing), refusals))

    def describe(self) -> str:
        """Return the progress so far."""
        return f"{self._stored} stored, {self._duplicates} already stored before, {self._refused} refused"

    def close(self) -> None:
        """Drop queued writes and close the dead-letter producer."""
        self._writes.close()
        self._dead_letters.close()

    def _decode(self, records: Sequence[Record]) -> tuple[list[Row], list[Refusal]]:
        """Return the documents in log order, and the records that violate their contract."""
        rows: list[Row] = []
        refusals: list[Refusal] = []
        for record in sorted(records, key=lambda item: (item.partition, item.offset)):
            origin = {
                "topic": record.topic,
                "topic_id": self._topic_id,
                "partition": record.partition,
                "offset": Int64(record.offset),
            }
            try:
                rows.append((record, self._contract.document(record, origin)))
            except ContractError as error:
                refusals.append((record, error.cause, error.detail))
        return rows, refusals

    def _write(self, rows: list[Row]) -> Outcome:
        """Write documents; runs on the writing thread.

        Raises:
            Unavailable, QuartetError
        """
        outcome = Outcome()
        while rows:
            first: dict[str, Row] = {}
            later = [row for row in rows if first.setdefault(row[1]["_id"], row) is not row]
            bulk = list(first.values())
            written = self._documents.insert_missing([document for _, document in bulk])
            outcome.added += [bulk[at] for at in sorted(written.added)]
            outcome.present += [bulk[at] for at in sorted(written.present)]
            outcome.rejected += [(bulk[at][0], Cause.DATABASE_REJECTED, reason) for at, reason in written.refused.items()]
            # If the first record of an _id was refused, the next one takes its place.
            vacant = {bulk[at][1]["_id"] for at in written.refused}
            outcome.present += [row for row in later if row[1]["_id"] not in vacant]
            rows = [row for row in later if row[1]["_id"] in vacant]
        outcome.conflicts = self._conflicts(outcome.present)
        return outcome

    def _conflicts(self, there: Sequence[Row]) -> list[Refusal]:
        """Return the records whose id is already stored with another image."""
        compared = self._contract.compared
        if compared is None or not there:
            return []
        stored = self._documents.values(sorted({document["_id"] for _, document in there}), compared)
        return [
            (record, Cause.ID_CONFLICT, f"{document['_id']} is stored with another {compared}: {stored[document['_id']]}")
            for record, document in there
            if document["_id"] in stored and stored[document["_id"]] != document[compared]
        ]

    def _finish(self, outcome: Outcome, refusals: list[Refusal]) -> None:
        """Write the refused records of a stored batch to the dead letters.

        Raises:
            Unavailable: Kafka does not answer.
            QuartetError: REJECTED, too many rejections by the database; nothing of the batch is committed.
        """
        metrics.CONNECTED.labels("mongodb").set(1)
        self._limit_rejections(outcome.rejected)
        self._count(outcome)
        refusals = refusals + outcome.rejected + outcome.conflicts
        self._refused += len(refusals)
        for record, cause, detail in refusals:
            log.warning(
                "refused %s/%d/%d: %s: %s",
                *(record.topic, record.partition, record.offset, cause, detail),
                extra={"fields": {"cause": cause, "topic": record.topic, "partition": record.partition, "offset": record.offset}},
            )
        self._dead_letters.write(refusals).settle()

    def _count(self, outcome: Outcome) -> None:
        self._stored += len(outcome.added)
        self._duplicates += len(outcome.present)
        for name, rows in (("stored", outcome.added), ("duplicate", outcome.present)):
            for topic, number in Counter(record.topic for record, _ in rows).items():
                metrics.RECORDS.labels(metrics.app(), topic, name).inc(number)
        now = time.time_ns() // 1000
        for _, document in outcome.added:
            metrics.END_TO_END.observe(max(0, now - document["captured_at"]) / 1_000_000)

    def _limit_rejections(self, rejected: Sequence[Refusal]) -> None:
        moment = self._clock()
        self._rejections.extend(moment for _ in rejected)
        while self._rejections and self._rejections[0] < moment - 60:
            self._rejections.popleft()
        if len(self._rejections) > self._max_rejections:
            reason = rejected[0][2] if rejected else ""
            message = (
                f"the database refused {len(self._rejections)} documents within a minute (the limit is {self._max_rejections}), "
                f"the last with: {reason}. "
                "Nothing of this batch was committed; compare the collection's validator with this release"
            )
            raise QuartetError(ExitCode.REJECTED, message)


@dataclass(frozen=True, slots=True)
class PendingDocuments:
    """A batch that is being written to the database and the dead letters."""

    finish: Callable[[], None]

    def settle(self) -> None:
        """Wait until the batch is stored and its refused records are in the dead letters.

        Raises:
            Unavailable: a server does not answer; the batch must be retried.
            QuartetError: the process must end.
        """
        self.finish()
