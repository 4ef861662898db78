"""The metrics of the stream's driver, from what Spark reports of each micro-batch."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Gauge
from quartet.runtime import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quartet.runtime.settings import MetricsTls

REGISTRY: Final = CollectorRegistry()
BATCH: Final = Gauge("quartet_stream_batch_id", "Number of the last micro-batch", registry=REGISTRY)
BATCH_AT: Final = Gauge("quartet_stream_batch_timestamp_seconds", "When Spark reported the last micro-batch", registry=REGISTRY)
BATCH_SECONDS: Final = Gauge("quartet_stream_batch_seconds", "Duration of the last micro-batch", registry=REGISTRY)
INPUT: Final = Gauge("quartet_stream_input_rows_per_second", "Records read per second, in the last micro-batch", registry=REGISTRY)
PROCESSED: Final = Gauge(
    "quartet_stream_processed_rows_per_second", "Records counted per second, in the last micro-batch", registry=REGISTRY
)
STATE_ROWS: Final = Gauge("quartet_stream_state_rows", "Rows of the state", registry=REGISTRY)
STATE_BYTES: Final = Gauge("quartet_stream_state_bytes", "Memory of the state store", registry=REGISTRY)
BEHIND: Final = Gauge(
    "quartet_stream_offsets_behind", "Records of the topic after those that the last micro-batch counted, when it was planned",
    registry=REGISTRY,
)  # fmt: skip
for _shared in (metrics.BUILD, metrics.VARIANT, metrics.WATCHDOG_AGE):
    REGISTRY.register(_shared)


def serve(port: int, tls: MetricsTls | None, watchdog_fed_at: Callable[[], float], *, topic: str) -> None:
    """Serve the driver's metrics.

    Raises:
        QuartetError: CONFIGURATION, the credential metrics.pem is missing or the address is taken.
    """
    metrics.start("spark_stream", port, tls, watchdog_fed_at, detail=f"topic {topic}", registry=REGISTRY)


def observe(progress: str) -> None:
    """Set the metrics from the JSON of a StreamingQueryProgress."""
    found: Mapping[str, Any] = json.loads(progress)
    BATCH.set(found["batchId"])
    BATCH_AT.set(time.time())
    BATCH_SECONDS.set(found.get("batchDuration", found.get("durationMs", {}).get("triggerExecution", 0)) / 1000)
    INPUT.set(_number(found.get("inputRowsPerSecond")))
    PROCESSED.set(_number(found.get("processedRowsPerSecond")))
    operators = found.get("stateOperators", [])
    STATE_ROWS.set(sum(operator["numRowsTotal"] for operator in operators))
    STATE_BYTES.set(sum(operator["memoryUsedBytes"] for operator in operators))
    BEHIND.set(sum(_behind(source) for source in found.get("sources", [])))


def _number(value: float | str | None) -> float:
    """Return a rate; Spark leaves out, or writes as text, what is not a number: the rate of a batch without a predecessor."""
    return float(value) if isinstance(value, int | float) else 0.0


def _behind(source: Mapping[str, Any]) -> int:
    """Return by how many records a source's end is behind the end of its topics; both are {topic: {partition: offset}}."""
    latest, end = (source.get(name) or {} for name in ("latestOffset", "endOffset"))
    if not isinstance(latest, dict) or not isinstance(end, dict):
        return 0  # a source that is not Kafka
    return sum(
        max(0, int(offset) - int(end.get(topic, {}).get(partition, 0)))
        for topic, partitions in latest.items()
        for partition, offset in partitions.items()
    )
