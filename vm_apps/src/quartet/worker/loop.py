"""The only run loop of the consumers: poll, strategy, effects, commit; pause, rewind, resume; drain.

An offset is committed only after every effect of its record was acknowledged. The effects of a batch may still be under way while the
next batch is worked on; they are settled, in order, before its offsets are committed. Whatever goes wrong, the partitions are rewound to
the first record that was not settled, consumption pauses, polling goes on (so the membership and the watchdog live), and the batch is
begun again: every effect is idempotent.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from quartet.runtime import failpoints, metrics
from quartet.runtime.errors import ExitCode, Unavailable
from quartet.runtime.host import Host
from quartet.runtime.records import Partition, Record

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.5
_BACK_OFF_SECONDS: Final = (0.5, 1.0, 2.0, 5.0)
_STATUS_SECONDS: Final = 5.0


class Source(Protocol):
    """Where records come from (quartet.kafka.group.GroupConsumer)."""

    topic: str

    def on_revoke(self, forget: Callable[[], None]) -> None:
        """Set what is called before partitions are given away, where nothing can be committed."""

    def poll(self, seconds: float, most: int) -> list[Record]:
        """Return up to `most` records, or none after `seconds`."""

    def has_assignment(self) -> bool:
        """Say whether there are partitions to read."""

    def topic_exists(self) -> bool:
        """Say whether there is such a topic."""

    def backlog(self) -> int | None:
        """Return how many records are left to read, if that is known."""

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit the offsets of the next records to read."""

    def rewind(self, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions again from these offsets."""

    def pause(self) -> None:
        """Stop fetching; polling keeps the membership."""

    def resume(self) -> None:
        """Fetch again."""

    def close(self) -> None:
        """Close without leaving the group."""


class Effects(Protocol):
    """What a batch set going, to be waited for before its offsets are committed."""

    def settle(self) -> None:
        """Wait until every effect was acknowledged.

        Raises:
            Unavailable: one was not; the batch must be begun again.
        """


class Strategy(Protocol):
    """What is done with a batch. It never polls and never commits."""

    def process(self, records: Sequence[Record]) -> Effects:
        """Begin the effects of a batch.

        Raises:
            Unavailable: a server is away; the batch must be begun again.
            QuartetError: the process must end.
        """

    def describe(self) -> str:
        """Return what was done so far, for the status line."""

    def close(self) -> None:
        """Give everything back."""


@dataclass(frozen=True, slots=True)
class _Batch:
    first: dict[Partition, int]
    next: dict[Partition, int]
    effects: Effects


class Worker:
    """Reads a source and hands batches to a strategy until the process shall stop."""

    def __init__(
        self,
        host: Host,
        source: Source,
        strategy: Strategy,
        *,
        batch_size: int,
        batch_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._source = source
        self._strategy = strategy
        self._batch_size = batch_size
        self._batch_seconds = batch_seconds
        self._clock = clock
        self._begun: deque[_Batch] = deque()
        # first offsets of the records that were read and are not yet part of a begun batch
        self._in_hand: dict[Partition, int] = {}
        self._forgotten = False
        self._last_size = 0
        self._failures = 0
        self._resume_at: float | None = None
        self._status_at = clock()
        self._read = self._read_at_status = 0
        source.on_revoke(self._forget)

    def run(self) -> ExitCode:
        """Work until the process shall stop; then finish what was begun and commit it.

        Raises:
            QuartetError: the process must end; what was begun and not settled comes again at the next start.
        """
        try:
            while not self._host.stopping:
                self._host.alive()
                try:
                    self._step()
                except Unavailable as error:
                    self._back_off(error)
            try:
                self._settle_all()
            except Unavailable as error:
                log.warning("stopping with work that was not acknowledged; it comes again: %s", error)
            return ExitCode.OK
        finally:
            self._strategy.close()
            self._source.close()

    def _step(self) -> None:
        if self._resume_at is not None:
            self._wait_paused(self._resume_at)
            return
        records = self._gather()
        if records:
            failpoints.reach("after-poll")
            with _timed("process"):
                effects = self._strategy.process(records)
            failpoints.reach("after-write")
            self._in_hand = {}
            self._begun.append(_Batch(_first(records), _next(records), effects))
            self._succeeded(len(records))
        # One batch stays under way while the next is worked on; when there is nothing to do, all are settled at once.
        self._settle(leave=1 if records else 0)
        self._report(records)

    def _gather(self) -> list[Record]:
        records = self._source.poll(0.0 if self._begun else _POLL_SECONDS, self._batch_size)
        self._in_hand = _first(records)
        # A record that comes alone goes at once; where more came the last time, company is worth a wait.
        end = self._clock() + (self._batch_seconds if self._last_size > 1 else 0.0)
        while records and len(records) < self._batch_size and (left := end - self._clock()) > 0:
            self._forgotten = False
            more = self._source.poll(left, self._batch_size - len(records))
            # After a rebalance what came before it comes again, and its commit would pass over the batches that were forgotten.
            records = more if self._forgotten else records + more
            self._in_hand = _first(records)
        if records:
            self._last_size = len(records)
        return records

    def _forget(self) -> None:
        self._begun.clear()
        self._forgotten = True

    def _settle_all(self) -> None:
        self._settle(leave=0)

    def _settle(self, *, leave: int) -> None:
        while len(self._begun) > leave:
            batch = self._begun[0]
            with _timed("settle"):
                batch.effects.settle()
            failpoints.reach("after-settle")
            with _timed("commit"):
                self._source.commit(batch.next)
            failpoints.reach("after-commit")
            self._begun.popleft()

    def _back_off(self, error: Unavailable) -> None:
        positions = dict(self._in_hand)
        for batch in reversed(self._begun):
            positions.update(batch.first)
        self._begun.clear()
        self._in_hand = {}
        self._source.rewind(positions)
        self._source.pause()
        delay = _BACK_OFF_SECONDS[min(self._failures, len(_BACK_OFF_SECONDS) - 1)]
        if self._failures == 0:
            log.warning("paused: %s", error, extra={"fields": {"server": error.server}})
        self._failures += 1
        metrics.CONNECTED.labels(error.server).set(0)
        metrics.RETRIED.inc()
        self._resume_at = self._clock() + delay
        self._host.status(f"paused, nothing is lost: {error}", now=True)

    def _wait_paused(self, resume_at: float) -> None:
        """Poll with everything paused: nothing comes, and the group keeps this member."""
        before = self._clock()
        stray = self._source.poll(min(_POLL_SECONDS, max(0.0, resume_at - before)), 1)
        metrics.PAUSED.inc(self._clock() - before)
        if stray:
            self._source.rewind(_first(stray))
        if self._clock() >= resume_at:
            self._resume_at = None
            self._source.resume()

    def _succeeded(self, count: int) -> None:
        self._read += count
        metrics.READ.inc(count)
        metrics.BATCH_SIZE.observe(count)
        if self._failures:
            log.info("resumed after %d attempts", self._failures)
            self._failures = 0

    def _report(self, records: Sequence[Record]) -> None:
        metrics.CONNECTED.labels("kafka").set(1)
        metrics.OLDEST_UNREAD.set(max(0.0, time.time() - records[0].timestamp / 1000) if records else 0)
        moment = self._clock()
        if moment - self._status_at < _STATUS_SECONDS:
            return
        rate = (self._read - self._read_at_status) / (moment - self._status_at)
        self._status_at, self._read_at_status = moment, self._read
        metrics.IMAGES_PER_SECOND.set(rate)
        if not self._source.has_assignment():
            missing = not self._source.topic_exists()
            self._host.status(
                f"waiting for topic {self._source.topic}, which does not exist" if missing else "waiting for partitions", now=True
            )
            return
        left = self._source.backlog()
        self._host.status(f"{self._strategy.describe()}; {rate:.0f}/s; {'?' if left is None else left} left to read", now=True)


def _first(records: Sequence[Record]) -> dict[Partition, int]:
    first: dict[Partition, int] = {}
    for record in records:
        name = Partition(record.topic, record.partition)
        first[name] = min(record.offset, first.get(name, record.offset))
    return first


def _next(records: Sequence[Record]) -> dict[Partition, int]:
    following: dict[Partition, int] = {}
    for record in records:
        name = Partition(record.topic, record.partition)
        following[name] = max(record.offset + 1, following.get(name, 0))
    return following


@contextmanager
def _timed(stage: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        metrics.STAGE.labels(stage).observe(time.perf_counter() - start)
