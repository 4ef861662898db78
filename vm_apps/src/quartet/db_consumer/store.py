"""What is done with a batch: each document is stored once and for ever.

A bulk carries only the lowest offset of an _id: the first record in log order wins. What breaks its contract, what the database refuses
for good, and an id that comes with another image goes to the dead letters, once, with its cause; everything else is written again.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bson import Int64

from quartet.contracts.causes import Cause, ContractError
from quartet.db_consumer.documents import Contract
from quartet.kafka.dead_letters import DeadLetterWriter
from quartet.mongodb.document_store import Written
from quartet.runtime import metrics
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.records import Record
from quartet.worker.write_behind import WriteBehind

log = logging.getLogger(__name__)

Row = tuple[Record, dict[str, Any]]
Refusal = tuple[Record, Cause, str]


class Documents(Protocol):
    """Where documents go (quartet.mongodb.document_store.DocumentStore)."""

    def add_missing(self, documents: Sequence[dict[str, Any]]) -> Written:
        """Add the documents whose _id is not there."""

    def values(self, ids: Sequence[str], field: str) -> dict[str, Any]:
        """Return a field of the documents with these ids."""


@dataclass(slots=True)
class Outcome:
    """What became of a batch in the database."""

    added: list[Row] = field(default_factory=list)
    there: list[Row] = field(default_factory=list)
    conflicts: list[Refusal] = field(default_factory=list)
    rejected: list[Refusal] = field(default_factory=list)


class Store:
    """The worker's strategy: one bulk a batch, refusals to the dead letters."""

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
        self._most_rejections = rejections_per_minute
        self._rejections: deque[float] = deque()
        self._clock = clock
        self._writes: WriteBehind[Outcome] = WriteBehind()
        self._stored = self._duplicates = self._refused = 0

    def process(self, records: Sequence[Record]) -> Storing:
        """Decode a batch and begin to store it.

        Raises:
            Unavailable: a server is away; nothing of the batch is committed.
        """
        if self._topic_id is None:
            self._topic_id = self._find_topic_id()
        rows, refusals = self._decode(records)
        writing = self._writes.begin(lambda: self._write(rows))
        return Storing(lambda: self._finish(self._writes.result(writing), refusals))

    def describe(self) -> str:
        """Return what was done so far."""
        return f"{self._stored} stored, {self._duplicates} were there already, {self._refused} refused"

    def close(self) -> None:
        """Begin no further write, and close the producer of dead letters."""
        self._writes.close()
        self._dead_letters.close()

    def _decode(self, records: Sequence[Record]) -> tuple[list[Row], list[Refusal]]:
        """Return documents in the order of the log, and what breaks its contract."""
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
            written = self._documents.add_missing([document for _, document in bulk])
            outcome.added += [bulk[at] for at in sorted(written.added)]
            outcome.there += [bulk[at] for at in sorted(written.present)]
            outcome.rejected += [(bulk[at][0], Cause.DATABASE_REJECTED, reason) for at, reason in written.refused.items()]
            # Where the first record of an _id was refused, the next one is the first.
            vacant = {bulk[at][1]["_id"] for at in written.refused}
            outcome.there += [row for row in later if row[1]["_id"] not in vacant]
            rows = [row for row in later if row[1]["_id"] in vacant]
        outcome.conflicts = self._conflicts(outcome.there)
        return outcome

    def _conflicts(self, there: Sequence[Row]) -> list[Refusal]:
        """Return the records whose id came before with another image."""
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
        """Put the refusals of a batch that is stored into the dead letters.

        Raises:
            Unavailable: Kafka is away.
            QuartetError: REJECTED, the database refuses too much; nothing of the batch is committed.
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
        self._duplicates += len(outcome.there)
        metrics.STORED.inc(len(outcome.added))
        metrics.DUPLICATE.inc(len(outcome.there))
        now = time.time_ns() // 1000
        for _, document in outcome.added:
            metrics.END_TO_END.observe(max(0, now - document["captured_at"]) / 1_000_000)

    def _limit_rejections(self, rejected: Sequence[Refusal]) -> None:
        moment = self._clock()
        self._rejections.extend(moment for _ in rejected)
        while self._rejections and self._rejections[0] < moment - 60:
            self._rejections.popleft()
        if len(self._rejections) > self._most_rejections:
            reason = rejected[0][2] if rejected else ""
            message = (
                f"the database refused {len(self._rejections)} documents within a minute (the limit is {self._most_rejections}), "
                f"the last with: {reason}. "
                "Nothing of this batch was committed; compare the collection's validator with this release"
            )
            raise QuartetError(ExitCode.REJECTED, message)


@dataclass(frozen=True, slots=True)
class Storing:
    """A batch on its way to the database and the dead letters."""

    finish: Callable[[], None]

    def settle(self) -> None:
        """Wait until the batch is stored and what was refused is in the dead letters.

        Raises:
            Unavailable: a server is away; the batch must be begun again.
            QuartetError: the process must end.
        """
        self.finish()
