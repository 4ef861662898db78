"""Whether stream and batch agree, judged only when both have counted everything: while records flow the batch is behind, and rightly so."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from quartet.counting.totals import Totals
from quartet.exporter.counts import Results


class Agreement:
    """Compares the counts of stream and batch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._records: object = None
        self._quiet_since: float | None = None
        self._batches: tuple[float, float] = (0.0, 0.0)
        #: By how much each producer's counts differ, as of the last time that it could be judged; None before
        self.differences: dict[int, int] | None = None

    def update(self, records: object, drained: bool, stream: Results, batch: Results) -> None:
        """Take in one poll.

        Args:
            records: what changes with every record of the topic (its end offsets).
            drained: whether the stream has counted, and the database stored, all of them.
            stream: the stream's counts.
            batch: the batch's counts.
        """
        if not drained or records != self._records:
            self._records = records
            self._quiet_since = None
        if drained and self._quiet_since is None:
            self._quiet_since = self._clock()
        if batch.written_at > self._batches[1]:
            self._batches = (self._batches[1], batch.written_at)
        # A batch writes when it ends. It saw everything if it began after the last record was stored, so surely if the one before it
        # ended after that: they do not overlap.
        if self._quiet_since is not None and self._batches[0] >= self._quiet_since:
            self.differences = differences(stream.totals, batch.totals)


def differences(one: Mapping[int, Totals], other: Mapping[int, Totals]) -> dict[int, int]:
    """Return by how many images, wrong ones and all, the counts of each producer differ."""
    nothing = Totals(0, 0)
    pairs = {producer: (one.get(producer, nothing), other.get(producer, nothing)) for producer in sorted({*one, *other})}
    return {producer: abs(a.total - b.total) + abs(a.incorrect - b.incorrect) for producer, (a, b) in pairs.items()}
