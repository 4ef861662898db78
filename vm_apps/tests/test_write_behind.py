"""Writes on a thread of their own: in order, none after a failure until it was seen, every wait bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from memory_broker import away
from quartet.runtime.errors import ExitCode, QuartetError, Unavailable
from quartet.worker.write_behind import WriteBehind


class Writes:
    """A write-behind thread, what it wrote, and a gate that holds a write up."""

    def __init__(self) -> None:
        self.behind: WriteBehind[str] = WriteBehind(seconds=0.2)
        self.written: list[str] = []
        self.gate = threading.Event()

    def write(self, name: str) -> Callable[[], str]:
        def write() -> str:
            self.written.append(name)
            return name

        return write

    def held_up(self, name: str, error: BaseException | None = None) -> Callable[[], str]:
        def write() -> str:
            self.gate.wait(10)
            if error is not None:
                raise error
            return self.write(name)()

        return write


@pytest.fixture
def writes() -> Iterator[Writes]:
    writes = Writes()
    yield writes
    writes.gate.set()
    writes.behind.close()


def test_the_caller_goes_on_while_a_write_is_under_way_and_writes_keep_their_order(writes: Writes) -> None:
    begun = [writes.behind.begin(writes.held_up("first")), *(writes.behind.begin(writes.write(str(number))) for number in range(20))]
    assert not writes.written
    writes.gate.set()
    assert [writes.behind.result(writing) for writing in begun] == ["first", *map(str, range(20))] == writes.written


def test_after_a_failure_nothing_is_written_until_it_was_seen(writes: Writes) -> None:
    failed = writes.behind.begin(writes.held_up("first", away()))
    begun_before_it_failed = writes.behind.begin(writes.write("second"))
    writes.gate.set()
    begun_before_it_was_seen = writes.behind.begin(writes.write("third"))
    for writing in (failed, begun_before_it_failed, begun_before_it_was_seen):
        with pytest.raises(Unavailable, match="mongodb: away"):
            writes.behind.result(writing)
    assert not writes.written
    again = [writes.behind.begin(writes.write(name)) for name in ("first", "second", "third")]
    assert [writes.behind.result(writing) for writing in again] == writes.written == ["first", "second", "third"]


def test_an_error_that_ends_the_process_reaches_the_caller(writes: Writes) -> None:
    writes.gate.set()
    writing = writes.behind.begin(writes.held_up("first", QuartetError(ExitCode.CREDENTIALS, "not allowed")))
    with pytest.raises(QuartetError, match="not allowed"):
        writes.behind.result(writing)


def test_a_wait_ends_and_nothing_overtakes_the_write_that_was_given_up(writes: Writes) -> None:
    given_up = writes.behind.begin(writes.held_up("first"))
    with pytest.raises(Unavailable, match="no answer within"):
        writes.behind.result(given_up)
    with pytest.raises(Unavailable, match="has not returned"):
        writes.behind.begin(writes.write("again"))
    writes.gate.set()
    assert given_up.result(5) == "first"
    assert writes.behind.result(writes.behind.begin(writes.write("again"))) == "again"
    assert writes.written == ["first", "again"]


def test_closing_does_not_wait_and_drops_what_was_not_begun(writes: Writes) -> None:
    under_way, queued = (writes.behind.begin(writes.held_up(name)) for name in ("first", "second"))
    writes.behind.close()
    assert queued.cancelled()
    assert not writes.written
    writes.gate.set()
    assert under_way.result(5) == "first"
