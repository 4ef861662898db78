"""An in-memory broker and database that fail where a test says, for tests of the worker."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quartet.mongodb.document_store import InsertResult
from quartet.runtime.errors import Unavailable
from quartet.runtime.records import Partition, Record


@dataclass
class MemoryRecord:
    """A consumed record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp: int = 0


class Crash(BaseException):
    """The process dies here: nothing after this point runs."""


class Rebalance(Exception):
    """All partitions are revoked here and assigned again: uncommitted records are read again."""


@dataclass
class Faults:
    """Where to fail: for each named point the errors to raise when it is passed."""

    due: dict[str, list[BaseException]] = field(default_factory=lambda: defaultdict(list))

    def at(self, point: str, *errors: BaseException) -> None:
        """Raise these errors, one per pass of the point."""
        self.due[point].extend(errors)

    def pass_point(self, point: str) -> None:
        """Raise the next error of the point, if any."""
        if self.due[point]:
            raise self.due[point].pop(0)


class MemoryTopic:
    """A topic whose records and commits outlive the process."""

    def __init__(self, name: str, partitions: int) -> None:
        self.name = name
        self.records: dict[int, list[MemoryRecord]] = {number: [] for number in range(partitions)}
        self.committed: dict[Partition, int] = {}

    def append(self, partition: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]] = ()) -> None:
        """Append a record."""
        log = self.records[partition]
        log.append(MemoryRecord(self.name, partition, len(log), key, value, list(headers)))

    def is_drained(self) -> bool:
        """Say whether everything is committed."""
        return all(self.committed.get(Partition(self.name, number), 0) == len(log) for number, log in self.records.items())


class MemorySource:
    """One process's view of a topic: quartet.worker.loop.Source."""

    def __init__(self, topic: MemoryTopic, faults: Faults) -> None:
        self.topic = topic.name
        self._log = topic
        self._faults = faults
        self._position = self._committed()
        self._paused = False
        self.polls_while_paused = 0

    def on_revoke(self, discard: Callable[[], None]) -> None:
        """Store the callback for a rebalance."""
        self._discard = discard

    def _committed(self) -> dict[int, int]:
        return {number: self._log.committed.get(Partition(self.topic, number), 0) for number in self._log.records}

    def poll(self, seconds: float, max_records: int) -> list[Record]:
        """Return the next records."""
        self._faults.pass_point("poll")
        try:
            self._faults.pass_point("rebalance")
        except Rebalance:
            self._discard()
            self._position = self._committed()
        if self._paused:
            self.polls_while_paused += 1
            return []
        found: list[Record] = []
        for number, log in self._log.records.items():
            take = log[self._position[number] :][: max_records - len(found)]
            self._position[number] += len(take)
            found += take  # type: ignore[arg-type]
        return found

    def has_assignment(self) -> bool:
        """Everything is assigned."""
        return True

    def topic_exists(self) -> bool:
        """The topic exists."""
        return True

    def backlog(self) -> int | None:
        """Return the number of unread records."""
        return sum(len(log) - self._position[number] for number, log in self._log.records.items())

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit."""
        self._faults.pass_point("before commit")
        self._log.committed.update(offsets)
        self._faults.pass_point("after commit")

    def rewind(self, offsets: Mapping[Partition, int]) -> None:
        """Set the position back."""
        for partition, offset in offsets.items():
            self._position[partition.partition] = offset

    def pause(self) -> None:
        """Pause."""
        self._paused = True

    def resume(self) -> None:
        """Resume."""
        self._paused = False

    def close(self) -> None:
        """Close."""


class MemoryStore:
    """A collection that outlives the process: quartet.db_consumer.store.Documents."""

    def __init__(self, faults: Faults) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.refuse: Callable[[Mapping[str, Any]], str | None] = lambda document: None
        self._faults = faults

    def insert_missing(self, documents: Sequence[Mapping[str, Any]]) -> InsertResult:
        """Insert missing documents; a fault at "half written" leaves a part of them."""
        self._faults.pass_point("before write")
        added, refused = set(), {}
        for at, document in enumerate(documents):
            if at == len(documents) // 2:
                self._faults.pass_point("half written")
            if reason := self.refuse(document):
                refused[at] = reason
            elif document["_id"] not in self.documents:
                self.documents[document["_id"]] = dict(document)
                added.add(at)
        self._faults.pass_point("after write")
        return InsertResult(frozenset(added), frozenset(range(len(documents))) - added - refused.keys(), refused)

    def values(self, ids: Sequence[str], name: str) -> dict[str, Any]:
        """Return a field of some documents."""
        return {key: self.documents[key].get(name) for key in ids if key in self.documents}


class MemoryProducer:
    """A producer of dead letters or inferences that takes records at once, or fails."""

    def __init__(self, faults: Faults) -> None:
        self.sent: list[tuple[str, bytes, bytes]] = []
        self._faults = faults

    def send(self, topic: str, *, key: bytes, value: bytes, **_: Any) -> MemoryFuture:
        """Send."""
        self.sent.append((topic, key, value))
        return MemoryFuture(self._faults)

    def close(self, timeout: float | None = None) -> None:
        """Close."""


class MemoryFuture:
    """Acknowledged, unless a fault is due."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def get(self, timeout: float) -> None:
        """Wait."""
        self._faults.pass_point("acknowledgement")


class MemoryHost:
    """A process that stops when a test says so: quartet.runtime.host.Host."""

    def __init__(self, until: Callable[[], bool]) -> None:
        self._until = until
        self._beats = 0
        self.lines: list[str] = []

    @property
    def stopping(self) -> bool:
        """Say whether to stop; a test that never ends has failed."""
        self._beats += 1
        assert self._beats < 5_000, f"never done: {self.lines[-3:]}"
        if self._beats > 500:
            # a thread that writes may not have had its turn yet
            time.sleep(0.001)
        return self._until()

    def feed_watchdog(self) -> None:
        """Feed no watchdog."""

    def status(self, text: str, *, now: bool = False) -> None:
        """Keep the line."""
        self.lines.append(text)

    def sleep(self, seconds: float) -> None:
        """Sleep for a moment only, in which the writer's thread gets on."""
        time.sleep(min(seconds, 0.001))


def away(server: str = "mongodb") -> Unavailable:
    """Return the error of an unavailable server."""
    return Unavailable(server, "away")
