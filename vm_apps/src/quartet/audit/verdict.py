"""The verdict: every rule, the counts of each producer and the figures, from the evidence; without Spark.

It holds on a live system. Records that the consumers have not committed yet are pending, not lost; the stream is compared
at its own offsets, the batch once everything has drained.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from quartet.audit import figures
from quartet.audit.evidence_file import EvidenceFile
from quartet.audit.producer_rows import ProducerRow, producer_rows
from quartet.audit.rule import Rule, State, judge_rules


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


def judge(evidence: EvidenceFile) -> Verdict:
    """Judge the evidence, after `EvidenceFile.derive`.

    Raises:
        QuartetError: DISK, the disk is full.
    """
    [(taken_at, model)] = evidence.query("SELECT taken_at, model FROM pipeline")
    [(drained,)] = evidence.query("FROM drained")
    return Verdict(
        taken_at=taken_at,
        model=model,
        drained=drained,
        rules=judge_rules(evidence),
        producers=producer_rows(evidence),
        figures=figures.figures(evidence),
        versions=dict(evidence.query("FROM versions")),
    )
