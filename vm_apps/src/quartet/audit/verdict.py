"""The judge: applies every rule, recounts all inferences in plain Python, without Spark, and reports the broken rules.

It works on a live system. Records that the consumers have not committed yet are pending, not lost; the stream is compared
at its own offsets, the batch once everything has drained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from quartet.audit import figures
from quartet.audit.evidence import Evidence, Ledger
from quartet.audit.producer_rows import ProducerRow, producer_rows
from quartet.audit.refusals import Refusals
from quartet.audit.rules.counts import counts_agree
from quartet.audit.rules.images import bytes_are_equal, nothing_invented, nothing_lost, one_document_per_id, stored_or_refused
from quartet.audit.rules.inferences import one_inference_per_image
from quartet.audit.rules.reading import nothing_left_to_read
from quartet.audit.rules.rule import Rule, State
from quartet.audit.sent_images import SentImages


@dataclass
class Verdict:
    """All rules and all figures."""

    taken_at: int
    model: str
    drained: bool
    rules: list[Rule]
    producers: list[ProducerRow]
    figures: dict[str, Any]
    versions: dict[str, str]

    @property
    def broken(self) -> list[Rule]:
        """The broken rules."""
        return [rule for rule in self.rules if rule.state is State.BROKEN]

    def as_json(self) -> dict[str, Any]:
        """Return the JSON that `--json` writes and `quartet report` reads."""
        return {
            "schema": "verify/1",
            "holds": not self.broken,
            **{name: value for name, value in asdict(self).items() if name != "rules"},
            "rules": [{**asdict(rule), "state": rule.state.value} for rule in self.rules],
        }


def judge(evidence: Evidence, ledgers: Sequence[Ledger]) -> Verdict:
    """Judge the evidence by the ledgers."""
    ledger_of_run = {(ledger.producer_id, ledger.run): ledger for ledger in ledgers}
    sent = SentImages(evidence.images)
    stored = {document.id: document for document in evidence.stored_images}
    refusals = Refusals(evidence.dead_letters_of(evidence.images_topic), stored)
    inferred = evidence.first_inferences()
    return Verdict(
        taken_at=evidence.taken_at,
        model=evidence.model,
        drained=evidence.drained,
        rules=[
            nothing_lost(evidence, ledger_of_run, sent, stored, refusals),
            nothing_invented(evidence, ledger_of_run, sent, stored, refusals),
            one_document_per_id(evidence, sent, stored, refusals),
            bytes_are_equal(ledger_of_run, sent, stored),
            stored_or_refused(stored, refusals),
            nothing_left_to_read(evidence),
            one_inference_per_image(evidence, sent, inferred),
            counts_agree(evidence),
        ],
        producers=producer_rows(evidence, ledger_of_run.values(), sent=sent, stored=stored, refusals=refusals, inferred=inferred),
        figures=figures.figures(evidence),
        versions=dict(evidence.versions),
    )
