"""Runs writes on a thread of its own, in submission order, so that the next batch is decoded while the server writes.

The order is the order of the log, in which the first record of an _id wins. So after a failed write nothing more is written until the
caller has seen the failure and starts again from there.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeVar

from quartet.runtime.errors import CALL_SECONDS, Unavailable

ResultT = TypeVar("ResultT")

_SERVER: Final = "mongodb"


class WriteBehind(Generic[ResultT]):
    """A single writing thread. All methods must be called from one other thread, the worker's."""

    def __init__(self, *, seconds: float = CALL_SECONDS) -> None:
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="write-behind")
        self._newest: Future[ResultT] | None = None
        # Set by the writing thread; cleared only while that thread is idle.
        self._failure: BaseException | None = None
        self._failure_seen = False

    def begin(self, write: Callable[[], ResultT]) -> Future[ResultT]:
        """Queue a write behind the earlier ones.

        After `result` has raised a failure, this write starts a new sequence.

        Raises:
            Unavailable: a write that timed out is still running; the new one could overtake it.
        """
        if self._failure_seen:
            if self._newest is not None and not self._newest.done():
                raise Unavailable(_SERVER, "the previous write has not returned")
            self._failure, self._failure_seen = None, False
        self._newest = self._thread.submit(self._write, write)
        return self._newest

    def result(self, writing: Future[ResultT]) -> ResultT:
        """Wait for a write and return its result.

        Raises:
            Unavailable: the server does not answer in time, or an earlier write failed.
            QuartetError: raised by this write or an earlier one.
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
        """Drop queued writes; a running write ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _write(self, write: Callable[[], ResultT]) -> ResultT:
        if self._failure is not None:
            raise self._failure
        try:
            return write()
        except BaseException as error:
            self._failure = error
            raise
