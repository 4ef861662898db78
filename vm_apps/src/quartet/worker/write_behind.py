"""Writes on a thread of its own, in the order in which they were given, so that the next batch is decoded while the server works.

The order is the log's order, and the first record of an _id wins: after a write that failed nothing is written until the caller has seen
the failure and begins again from there.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeVar

from quartet.runtime.errors import CALL_SECONDS, Unavailable

ResultT = TypeVar("ResultT")

_SERVER: Final = "mongodb"


class WriteBehind(Generic[ResultT]):
    """One thread that writes. All methods are called by one other thread, the worker's."""

    def __init__(self, *, seconds: float = CALL_SECONDS) -> None:
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="write-behind")
        self._newest: Future[ResultT] | None = None
        # Set by the writing thread; cleared only while that thread has nothing to do.
        self._failure: BaseException | None = None
        self._failure_seen = False

    def begin(self, write: Callable[[], ResultT]) -> Future[ResultT]:
        """Have a write done after those that were begun before.

        After a failure that `result` has raised, this is the first write of a new beginning.

        Raises:
            Unavailable: a write that was given up is still under way; what comes now could overtake it.
        """
        if self._failure_seen:
            if self._newest is not None and not self._newest.done():
                raise Unavailable(_SERVER, "the write before has not come back")
            self._failure, self._failure_seen = None, False
        self._newest = self._thread.submit(self._write, write)
        return self._newest

    def result(self, writing: Future[ResultT]) -> ResultT:
        """Wait for a write.

        Raises:
            Unavailable: the server is away, or does not answer in time, or a write before this one failed.
            QuartetError: what the write raised, or one before it.
        """
        try:
            return writing.result(timeout=self._seconds)
        except TimeoutError:
            self._failure_seen = True
            raise Unavailable(_SERVER, f"no answer within {self._seconds:.0f} s") from None
        except BaseException:
            self._failure_seen = True
            raise

    def close(self) -> None:
        """Begin nothing any more; a write under way ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _write(self, write: Callable[[], ResultT]) -> ResultT:
        if self._failure is not None:
            raise self._failure
        try:
            return write()
        except BaseException as error:
            self._failure = error
            raise
