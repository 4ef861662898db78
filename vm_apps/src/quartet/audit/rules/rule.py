"""A promise of the pipeline and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

EXAMPLES = 5
"""How many offenders of a broken rule are named."""


class State(StrEnum):
    """What became of a rule. Pending: nothing contradicts it, but not everything has arrived yet."""

    HOLDS = "holds"
    PENDING = "pending"
    BROKEN = "broken"


@dataclass
class Rule:
    """One promise of the pipeline and what speaks against it."""

    number: int
    title: str
    broken: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def state(self) -> State:
        """Whether the rule holds."""
        if self.broken:
            return State.BROKEN
        return State.PENDING if self.pending else State.HOLDS

    def add_violations(self, what: str, offenders: Iterable[object]) -> None:
        """Note that these break the rule, if there are any."""
        if text := _named(what, offenders):
            self.broken.append(text)

    def add_pending(self, what: str, ones: Iterable[object]) -> None:
        """Note that these have not arrived yet, if there are any."""
        if text := _named(what, ones):
            self.pending.append(text)


def some(names: Sequence[str]) -> str:
    """Return the first few of many names."""
    return ", ".join(names[:EXAMPLES]) + (", ..." if len(names) > EXAMPLES else "")


def _named(what: str, ones: Iterable[object]) -> str:
    names = sorted(str(one) for one in ones)
    return f"{what}: {len(names)} ({some(names)})" if names else ""
