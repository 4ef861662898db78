"""The rules that the pipeline must keep, judged by the views of sql/rules.sql."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from quartet.audit.evidence_file import EvidenceFile

EXAMPLES: Final = 5
"""Number of violations that are named per broken rule."""


class State(StrEnum):
    """State of a rule. Pending: no violation found, but not everything has arrived yet."""

    HOLDS = "holds"
    PENDING = "pending"
    BROKEN = "broken"


@dataclass
class Rule:
    """A rule that the pipeline must keep, its violations and what is still pending."""

    number: int
    title: str
    broken: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def state(self) -> State:
        """Broken with any violation, else pending or holding."""
        if self.broken:
            return State.BROKEN
        return State.PENDING if self.pending else State.HOLDS


def judge_rules(evidence: EvidenceFile) -> list[Rule]:
    """Judge every rule.

    Raises:
        QuartetError: DISK, the disk is full; SOFTWARE.
    """
    return [_judge(evidence, number, title) for number, title in evidence.query("SELECT number, title FROM rules ORDER BY number")]


def _judge(evidence: EvidenceFile, number: int, title: str) -> Rule:
    rule = Rule(number, title)
    lines = {"broken": rule.broken, "pending": rule.pending, "note": rule.notes}
    found = evidence.query(
        f"SELECT state, finding, count(offender), min(offender, {EXAMPLES}) FROM rule_{number} "  # noqa: S608 (numbers of our own table)
        "GROUP BY line, state, finding ORDER BY line, finding"
    )
    for state, finding, offenders, examples in found:
        names = ", ".join(examples or []) + (", ..." if offenders > EXAMPLES else "")
        lines[state].append(f"{finding}: {offenders} ({names})" if offenders else finding)
    return rule
