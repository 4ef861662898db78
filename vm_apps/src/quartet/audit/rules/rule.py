"""A rule that the pipeline must keep, and its violations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

EXAMPLES = 5
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

    def add_violations(self, what: str, offenders: Iterable[object]) -> None:
        """Add a line that names the violations; nothing if there are none."""
        if text := _summary(what, offenders):
            self.broken.append(text)

    def add_pending(self, what: str, items: Iterable[object]) -> None:
        """Add a line that names what has not arrived yet; nothing if there is none."""
        if text := _summary(what, items):
            self.pending.append(text)


def first_few(names: Sequence[str]) -> str:
    """Join the first few of many names."""
    return ", ".join(names[:EXAMPLES]) + (", ..." if len(names) > EXAMPLES else "")


def _summary(what: str, items: Iterable[object]) -> str:
    names = sorted(str(one) for one in items)
    return f"{what}: {len(names)} ({first_few(names)})" if names else ""
