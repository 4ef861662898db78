"""The row of each producer: how many of its images reached each stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quartet.audit.evidence import Evidence, InferenceRecord, Ledger, StoredImage
from quartet.audit.refusals import Refusals
from quartet.audit.rules.counts import recount
from quartet.audit.sent_images import SentImages
from quartet.contracts.ids import parse_id


@dataclass
class ProducerRow:
    """Number of images of one producer at each stage, and its counts."""

    producer_id: int
    sent: int = 0
    acknowledged: int = 0
    stored: int = 0
    refused: int = 0
    inferred: int = 0
    pending: int = 0
    batch_total: int | None = None
    batch_incorrect: int | None = None
    stream_total: int | None = None
    stream_incorrect: int | None = None
    recount_total: int = 0
    recount_incorrect: int = 0


def producer_rows(
    evidence: Evidence,
    ledgers: Iterable[Ledger],
    *,
    sent: SentImages,
    stored: Mapping[str, StoredImage],
    refusals: Refusals,
    inferred: Mapping[str, InferenceRecord],
) -> list[ProducerRow]:
    """Return one row per producer. `inferred`: the first inference of the model by image id."""
    rows: dict[int, ProducerRow] = {}

    def row(producer_id: int) -> ProducerRow:
        return rows.setdefault(producer_id, ProducerRow(producer_id))

    for ledger in ledgers:
        row(ledger.producer_id).acknowledged += len(ledger.acknowledged)
    for _, records in sent:
        row(records[0].producer_id).sent += 1
    for document in stored.values():
        row(document.producer_id).stored += 1
    for image_id in refusals.unresolved_ids():
        row(parse_id(image_id)[0]).refused += 1
    for inference in inferred.values():
        row(inference.producer_id).inferred += 1
    for image_id in stored.keys() - inferred.keys():
        row(stored[image_id].producer_id).pending += 1
    for producer_id, totals in recount(evidence).items():
        row(producer_id).recount_total, row(producer_id).recount_incorrect = totals
    for result in evidence.batch:
        row(result.producer_id).batch_total = result.total
        row(result.producer_id).batch_incorrect = result.incorrect
    for result in evidence.stream:
        row(result.producer_id).stream_total = result.total
        row(result.producer_id).stream_incorrect = result.incorrect
    return [rows[producer_id] for producer_id in sorted(rows)]
