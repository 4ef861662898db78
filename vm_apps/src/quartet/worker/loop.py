"""The only run loop of the consumers: poll, strategy, effects, commit; pause, rewind, resume; drain.

An offset is committed only after every effect of its record (a write or a send) was acknowledged. The effects of a batch may be in
progress while the next batch is processed; they are settled, in order, before its offsets are committed. If a server is unavailable, the
partitions are rewound to the first record that was not settled, consumption pauses while polling continues (which keeps the membership
and feeds the watchdog), and the batch is processed again: every effect is idempotent.
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

    def on_revoke(self, discard: Callable[[], None]) -> None:
        """Set the callback that runs before partitions are revoked; nothing can be committed there."""

    def poll(self, seconds: float, max_records: int) -> list[Record]:
        """Return up to `max_records` records, or none after `seconds`."""

    def has_assignment(self) -> bool:
        """Return whether partitions are assigned."""

    def topic_exists(self) -> bool:
        """Return whether the topic exists."""

    def backlog(self) -> int | None:
        """Return the number of records left to read; None if unknown."""

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit the offsets of the next records to read."""

    def rewind(self, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions again from these offsets."""

    def pause(self) -> None:
        """Stop fetching; polling keeps the membership."""

    def resume(self) -> None:
        """Resume fetching."""

    def close(self) -> None:
        """Close without leaving the group."""


class Effects(Protocol):
    """The writes or sends that a batch started; they are settled before its offsets are committed."""

    def settle(self) -> None:
        """Wait until every effect is acknowledged.

        Raises:
            Unavailable: one was not acknowledged; the batch must be retried.
        """


class Strategy(Protocol):
    """How a batch is processed. A strategy never polls and never commits."""

    def process(self, records: Sequence[Record]) -> Effects:
        """Process a batch and start its effects.

        Raises:
            Unavailable: a server does not answer; the batch must be retried.
            QuartetError: the process must end.
        """

    def describe(self) -> str:
        """Return the progress so far, for the status line."""

    def close(self) -> None:
        """Close the connections of the strategy."""


@dataclass(frozen=True, slots=True)
class _Batch:
    first_offsets: dict[Partition, int]
    next_offsets: dict[Partition, int]
    effects: Effects
    size: int


class Worker:
    """Reads batches from a source and passes them to a strategy until the process is asked to stop."""

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
        self._pending: deque[_Batch] = deque()
        # first offsets of the records that were read and are not yet part of a pending batch
        self._unprocessed: dict[Partition, int] = {}
        self._unprocessed_size = 0
        self._discarded = False
        self._last_size = 0
        self._failures = 0
        self._resume_at: float | None = None
        self._status_at = clock()
        self._read = self._read_at_status = 0
        source.on_revoke(self._discard_pending)

    def run(self) -> ExitCode:
        """Run until the process is asked to stop; then settle the pending batches and commit them.

        Raises:
            QuartetError: the process must end; batches that were not settled are read again at the next start.
        """
        try:
            while not self._host.stopping:
                self._host.feed_watchdog()
                try:
                    self._step()
                except Unavailable as error:
                    self._back_off(error)
            try:
                self._settle_all()
            except Unavailable as error:
                log.warning("stopping with unacknowledged writes; their records are read again: %s", error)
            return ExitCode.OK
        finally:
            self._strategy.close()
            self._source.close()

    def _step(self) -> None:
        if self._resume_at is not None:
            self._wait_paused(self._resume_at)
            return
        records = self._collect_batch()
        if records:
            failpoints.reach("after-poll")
            with _timed("process"):
                effects = self._strategy.process(records)
            failpoints.reach("after-write")
            self._unprocessed, self._unprocessed_size = {}, 0
            self._pending.append(_Batch(_first_offsets(records), _next_offsets(records), effects, len(records)))
            self._batch_succeeded(len(records))
        # One batch stays pending while the next is processed; without new records all are settled at once.
        self._settle(leave=1 if records else 0)
        self._report(records)

    def _collect_batch(self) -> list[Record]:
        records = self._source.poll(0.0 if self._pending else _POLL_SECONDS, self._batch_size)
        self._unprocessed = _first_offsets(records)
        # A single record is processed at once; after a larger batch it is worth waiting for more records.
        end = self._clock() + (self._batch_seconds if self._last_size > 1 else 0.0)
        while records and len(records) < self._batch_size and (left := end - self._clock()) > 0:
            self._discarded = False
            more = self._source.poll(left, self._batch_size - len(records))
            # After a rebalance the earlier records are read again; committing them now would skip the discarded batches.
            records = more if self._discarded else records + more
            self._unprocessed = _first_offsets(records)
        self._unprocessed_size = len(records)
        if records:
            self._last_size = len(records)
        return records

    def _discard_pending(self) -> None:
        self._pending.clear()
        self._discarded = True

    def _settle_all(self) -> None:
        self._settle(leave=0)

    def _settle(self, *, leave: int) -> None:
        while len(self._pending) > leave:
            batch = self._pending[0]
            with _timed("settle"):
                batch.effects.settle()
            failpoints.reach("after-settle")
            with _timed("commit"):
                self._source.commit(batch.next_offsets)
            failpoints.reach("after-commit")
            self._pending.popleft()
            metrics.resume()

    def _back_off(self, error: Unavailable) -> None:
        positions = dict(self._unprocessed)
        for batch in reversed(self._pending):
            positions.update(batch.first_offsets)
        failed = self._unprocessed_size + sum(batch.size for batch in self._pending)
        self._pending.clear()
        self._unprocessed, self._unprocessed_size = {}, 0
        self._source.rewind(positions)
        self._source.pause()
        delay = _BACK_OFF_SECONDS[min(self._failures, len(_BACK_OFF_SECONDS) - 1)]
        if self._failures == 0:
            log.warning("paused: %s", error, extra={"fields": {"server": error.server}})
        self._failures += 1
        metrics.CONNECTED.labels(error.server).set(0)
        metrics.RETRIED.inc()
        metrics.RECORDS.labels(metrics.app(), self._source.topic, "failed").inc(failed)
        metrics.pause(error.server)
        self._resume_at = self._clock() + delay
        self._host.status(f"paused, nothing is lost: {error}", now=True)

    def _wait_paused(self, resume_at: float) -> None:
        """Poll while fetching is paused, which returns no records but keeps the group membership."""
        before = self._clock()
        unexpected = self._source.poll(min(_POLL_SECONDS, max(0.0, resume_at - before)), 1)
        metrics.PAUSED_SECONDS.inc(self._clock() - before)
        if unexpected:
            self._source.rewind(_first_offsets(unexpected))
        if self._clock() >= resume_at:
            self._resume_at = None
            self._source.resume()

    def _batch_succeeded(self, count: int) -> None:
        self._read += count
        metrics.READ.inc(count)
        metrics.BATCH_SIZE.labels(metrics.app()).observe(count)
        if self._failures:
            log.info("resumed after %d attempts", self._failures)
            self._failures = 0

    def _report(self, records: Sequence[Record]) -> None:
        metrics.CONNECTED.labels("kafka").set(1)
        if not records:
            metrics.resume()
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


def _first_offsets(records: Sequence[Record]) -> dict[Partition, int]:
    first: dict[Partition, int] = {}
    for record in records:
        name = Partition(record.topic, record.partition)
        first[name] = min(record.offset, first.get(name, record.offset))
    return first


def _next_offsets(records: Sequence[Record]) -> dict[Partition, int]:
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
        metrics.STAGE.labels(metrics.app(), stage).observe(time.perf_counter() - start)
