"""Rule 6: every group has read everything."""

from __future__ import annotations

from quartet.audit.evidence import Evidence
from quartet.audit.rules.rule import Rule


def nothing_left_to_read(evidence: Evidence) -> Rule:
    """Judge rule 6: unread records make the rule pending, never broken."""
    rule = Rule(6, "every group has read everything")
    for group in ("images", "inference", "inferences"):
        if lag := evidence.lag(group):
            rule.pending.append(f"{group}: {lag} unread")
    if lag := evidence.stream_lag():
        rule.pending.append(f"Spark stream: {lag} uncounted")
    return rule
