"""A metric that is read from a server at each poll: its name, type, labels and meaning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

#: The values of a family's labels, in their order, and the value
Sample = tuple[Sequence[object], float]


@dataclass(frozen=True, slots=True)
class Family:
    """The declaration of a metric."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    def of(self, samples: Iterable[Sample]) -> Metric:
        """Return the metric with these samples."""
        kind = GaugeMetricFamily if self.kind == "gauge" else CounterMetricFamily
        family = kind(self.name, self.meaning, labels=self.labels)
        for labels, value in samples:
            family.add_metric([str(label) for label in labels], value)
        return family

    def value(self, value: float) -> Metric:
        """Return the metric, which has no labels, with this value."""
        return self.of([((), value)])
