"""The row of each producer: how many of its images reached each stage."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quartet.audit.evidence_file import EvidenceFile


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


def producer_rows(evidence: EvidenceFile) -> list[ProducerRow]:
    """Return one row per producer."""
    columns = ", ".join(one.name for one in fields(ProducerRow))
    return [ProducerRow(*row) for row in evidence.query(f"SELECT {columns} FROM producers ORDER BY producer_id")]  # noqa: S608 (our own names)
