"""Chooses which inferences the wall shows: a few a second, wrong ones first, but never more than half where right ones are to be had."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from quartet.contracts.inference import Inference


class Sampler:
    """Collects the inferences of one interval and gives at most `places` of them."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._wrong: deque[Inference] = deque(maxlen=places)
        self._others: deque[Inference] = deque(maxlen=places)

    def offer(self, inferences: Iterable[Inference]) -> None:
        """Take inferences into the choice; of many the newest stay."""
        for inference in inferences:
            (self._wrong if inference.is_incorrect else self._others).append(inference)

    def take(self) -> list[Inference]:
        """Return the chosen ones, oldest first, and begin a new interval."""
        wrong = min(len(self._wrong), max(self._places // 2, self._places - len(self._others)))
        others = min(len(self._others), self._places - wrong)
        chosen = [*_newest(self._wrong, wrong), *_newest(self._others, others)]
        self._wrong.clear()
        self._others.clear()
        return sorted(chosen, key=lambda inference: (inference.inferred_at, inference.id))


def _newest(inferences: deque[Inference], number: int) -> list[Inference]:
    return list(inferences)[len(inferences) - number :]
