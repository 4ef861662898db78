"""Passes on what Spark reports of each micro-batch; Spark calls it from a thread of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pyspark.sql.streaming import StreamingQueryListener

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("quartet.spark.progress")


class ProgressListener(StreamingQueryListener):  # type: ignore[misc]
    """Gives the JSON of each StreamingQueryProgress to `observe`."""

    def __init__(self, observe: Callable[[str], None]) -> None:
        self._observe = observe

    def onQueryStarted(self, event: Any) -> None:  # noqa: N802 (Spark's name)
        """Do nothing: the first micro-batch says more."""

    def onQueryProgress(self, event: Any) -> None:  # noqa: N802 (Spark's name)
        """Pass the progress on. A failure here is logged: metrics must not end the query."""
        try:
            self._observe(event.progress.json)
        except Exception:
            log.exception("the progress of a batch was not understood")

    def onQueryIdle(self, event: Any) -> None:  # noqa: N802 (Spark's name)
        """Do nothing: an idle query keeps its last values."""

    def onQueryTerminated(self, event: Any) -> None:  # noqa: N802 (Spark's name)
        """Do nothing: the job itself sees why the query ended."""
