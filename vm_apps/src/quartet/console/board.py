"""The board behind every page: what was read last, the wall, and the open pages; and the readers that keep it up to date."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from quartet.console import questions, snapshot
from quartet.console.hub import Hub
from quartet.console.poller import Poller
from quartet.console.prometheus_api import Sample, Series
from quartet.console.readings import Readings
from quartet.console.sampler import Sampler
from quartet.console.trace import Documents, find_trace
from quartet.console.wall import SIZE, Wall
from quartet.contracts.inference import Inference
from quartet.runtime.errors import QuartetError, Unavailable
from quartet.runtime.settings import ConsoleSettings

#: The wall changes twice a second, by at most 4 pictures: 8 a second
_INTERVAL_SECONDS: Final = 0.5
_PICTURES_AN_INTERVAL: Final = 4
_IMAGES_SECONDS: Final = 0.2
#: How long a picture waits for its image before the wall says that it is not stored yet
_LATE_SECONDS: Final = 1.0
_RATE_SECONDS: Final = 10.0
#: The part of the time in which the console may have a count running in the database
_COUNTING_SHARE: Final = 0.05


class Tail(Protocol):
    """The newest inferences (quartet.console.inference_tail)."""

    def read(self, seconds: float) -> list[Inference]:
        """Return inferences that came within so many seconds."""

    def log_end(self) -> int:
        """Return the number of inferences that were ever appended."""


class Store(Documents, Protocol):
    """The database (quartet.console.database)."""

    def server(self) -> str:
        """Return the server's name and version."""

    def images(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Return the stored images of these ids."""

    def results(self) -> dict[str, dict[int, dict[str, Any]]]:
        """Return what stream and batch counted."""

    def stored(self) -> dict[int, dict[str, int]]:
        """Return the number of stored images and inferences by producer."""


class Metrics(Protocol):
    """Prometheus (quartet.console.prometheus_api)."""

    def query(self, expression: str) -> list[Sample]:
        """Return the value of an expression now."""

    def query_range(self, expression: str, start: int, end: int, step: int) -> list[Series]:
        """Return the values of an expression between two times."""

    def alerts(self) -> list[dict[str, Any]]:
        """Return the pending and the firing alerts."""


class Board:
    """Everything a page shows. The readers' threads write to `readings` and `wall`; `hub` belongs to the event loop."""

    def __init__(self, settings: ConsoleSettings, tail: Tail, database: Store, metrics: Metrics | None) -> None:
        self._settings, self._tail, self._database, self._metrics = settings, tail, database, metrics
        self.readings, self.wall, self.hub = Readings(), Wall(), Hub()
        self._sampler = Sampler(_PICTURES_AN_INTERVAL)
        self._wall_begun = False
        #: Pictures that no page was told of yet, and when each came
        self._untold: deque[tuple[float, dict[str, Any]]] = deque(maxlen=2 * SIZE)
        self._ends: deque[tuple[float, int]] = deque(maxlen=int(_RATE_SECONDS / _INTERVAL_SECONDS) + 1)
        #: Hands an event from a reader's thread to the event loop; set while the server runs
        self.announce: Callable[[str, Mapping[str, Any]], None] = lambda _kind, _content: None

    def pollers(self) -> list[Poller]:
        """Return the readers, not started yet."""
        metrics = self._metrics
        found = [
            self._poller("tail", self._read_tail, 0),
            self._poller("images", self._read_images, _IMAGES_SECONDS),
            self._poller("results", lambda: self.readings.succeed("results", self._database.results()), 2),
            self._poller("stored", lambda: self.readings.succeed("stored", self._database.stored()), 2, share=_COUNTING_SHARE),
            self._poller("server", lambda: self.readings.succeed("server", self._database.server()), 60),
        ]
        if metrics is None:
            why = f"needs Prometheus: quartet_monitoring is {self._settings.monitoring}, set it to full"
            for name in ("metrics", "alerts", "charts"):
                self.readings.fail(name, why)
            return found
        return [
            *found,
            self._poller("metrics", lambda: self._read_metrics(metrics), 2),
            self._poller("alerts", lambda: self.readings.succeed("alerts", metrics.alerts()), 2),
            self._poller("charts", lambda: self._read_charts(metrics), 5),
        ]

    def tiles(self) -> dict[str, Any]:
        """Return every tile but the wall and the charts."""
        found = snapshot.tiles(self.readings, self._settings.groups, time.time())
        found["about"] |= {
            "model": self._settings.model,
            "kafka": ", ".join(self._settings.kafka.bootstrap_servers),
            "pages": self.hub.pages,
            "dropped": self.hub.dropped,
        }
        return found

    def snapshot(self) -> dict[str, Any]:
        """Return everything, for a page that begins."""
        return {"tiles": self.tiles(), "charts": snapshot.charts(self.readings), "wall": self.wall.pictures(), "size": SIZE}

    def image(self, image_id: str) -> bytes | None:
        """Return the PNG of an image; None if it is not stored."""
        found = self.wall.image(image_id)
        if found is None:
            self.wall.store(self._database.images([image_id]))
            found = self.wall.image(image_id)
        return found

    def trace(self, image_id: str) -> dict[str, Any] | None:
        """Return an image's way through the pipeline; None if the database knows nothing of it."""
        return find_trace(self._database, image_id)

    def _poller(self, name: str, turn: Callable[[], None], seconds: float, *, share: float = 1.0) -> Poller:
        return Poller(name, turn, seconds, lambda why: self.readings.fail(name, why), share=share)

    def _read_tail(self) -> None:
        end = time.monotonic() + _INTERVAL_SECONDS
        while (left := end - time.monotonic()) > 0:
            found = [inference for inference in self._tail.read(left) if inference.model == self._settings.model]
            if not self._wall_begun and found:
                # the last records of each partition: shown at once, newest last
                self._wall_begun = True
                self._show(sorted(found, key=lambda inference: inference.inferred_at)[-SIZE:])
            else:
                self._sampler.offer(found)
        self._show(self._sampler.take())
        self._ends.append((time.monotonic(), self._tail.log_end()))
        (first_at, first), (last_at, last) = self._ends[0], self._ends[-1]
        rate = max(0.0, (last - first) / (last_at - first_at)) if last_at > first_at else None
        self.readings.succeed("tail", {"rate": rate, "end": last})

    def _show(self, inferences: Sequence[Inference]) -> None:
        moment = time.monotonic()
        self._untold.extend((moment, row) for row in self.wall.add(inferences))

    def _read_images(self) -> None:
        """Fetch the images that the wall lacks. A picture is shown with its image, or without it when that is late."""
        waiting = self.wall.waiting()
        try:
            stored = set(self.wall.store(self._database.images(waiting)) if waiting else ())
        except (Unavailable, QuartetError):
            self._tell(set())
            raise
        self._tell(stored)
        self.readings.succeed("images", len(self.wall.waiting()))

    def _tell(self, stored: set[str]) -> None:
        rows, later = [], []
        while self._untold:
            came, row = self._untold.popleft()
            row["stored"] = row["stored"] or row["id"] in stored
            if row["stored"] or time.monotonic() - came > _LATE_SECONDS:
                rows.append(row)
            else:
                later.append((came, row))
        self._untold.extendleft(reversed(later))
        if rows:
            self.announce("pictures", {"rows": rows})
        if late := sorted(stored - {row["id"] for row in rows}):
            self.announce("stored", {"ids": late})

    def _read_metrics(self, metrics: Metrics) -> None:
        self.readings.succeed("metrics", questions.answers(metrics.query(questions.now(self._settings.topics))))

    def _read_charts(self, metrics: Metrics) -> None:
        end = int(time.time()) // questions.STEP_SECONDS * questions.STEP_SECONDS
        found = metrics.query_range(questions.charts(self._settings.topics), end - questions.RANGE_SECONDS, end, questions.STEP_SECONDS)
        self.readings.succeed("charts", questions.chart_data(found, self._settings.groups, end))
        self.announce("charts", snapshot.charts(self.readings))
