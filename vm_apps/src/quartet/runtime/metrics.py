"""Every metric of the apps, defined once: name, type, labels and meaning. Ids, runs and offsets are never labels.

The metrics are served for Prometheus on a port of the loopback interface.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics, start_http_server

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

CONNECTED: Final = Gauge("quartet_connected", "1 while the server answers, else 0", ["server"])
READ: Final = Counter("quartet_records_read_total", "Records read from the topic")
ACKNOWLEDGED: Final = Counter("quartet_records_acknowledged_total", "Records that Kafka acknowledged", ["topic"])
FAILED: Final = Counter("quartet_sends_failed_total", "Sends that failed and are tried again", ["topic"])
SILENT: Final = Gauge(
    "quartet_silent_seconds", "Seconds since the last acknowledgement by Kafka while records wait for one; 0 when none waits"
)
STORED: Final = Counter("quartet_documents_stored_total", "Documents that the database stored")
DUPLICATE: Final = Counter("quartet_documents_duplicate_total", "Records whose document was already stored")
DEAD_LETTERED: Final = Counter("quartet_records_dead_lettered_total", "Records put into the dead-letter topic", ["cause"])
SKIPPED: Final = Counter(
    "quartet_records_skipped_total", "Records that break their contract and that another consumer dead-letters", ["cause"]
)
RETRIED: Final = Counter("quartet_batches_retried_total", "Batches retried because a write failed")
OLDEST_UNREAD: Final = Gauge("quartet_oldest_unread_seconds", "Age of the record that was read last; 0 when nothing is left to read")
PAUSED: Final = Counter("quartet_paused_seconds_total", "Seconds without consumption because a server was unavailable")
BATCH_SIZE: Final = Histogram("quartet_batch_records", "Records per batch", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000))
STAGE: Final = Histogram("quartet_stage_seconds", "Duration of a stage of a batch in seconds", ["stage"], buckets=_SECONDS)
END_TO_END: Final = Histogram(
    "quartet_capture_to_here_seconds",
    "Seconds from capture until this app has finished with the image",
    buckets=(0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.033, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.5, 1, 2, 5, 10, 60, 600),
)
IMAGES_PER_SECOND: Final = Gauge("quartet_images_per_second", "Rate since the last status line")
BUILD: Final = Gauge("quartet_build_info", "App, version and variant of this process", ["app", "version", "detail"])


def serve(port: int) -> None:
    """Serve the metrics on 127.0.0.1."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    start_http_server(port, addr="127.0.0.1", registry=REGISTRY)
