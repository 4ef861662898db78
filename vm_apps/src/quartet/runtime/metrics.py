"""Every metric of the apps, defined once: name, type, labels and meaning. Ids, runs and offsets are never labels.

`tests/metric_table.py` writes docs/metrics.md from these definitions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from quartet.runtime import metrics_server
from quartet.runtime.settings import MetricsTls
from quartet.runtime.version import VERSION

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_END_TO_END_SECONDS: Final = (
    0.005,
    0.01,
    0.015,
    0.02,
    0.025,
    0.03,
    0.033,
    0.04,
    0.05,
    0.06,
    0.08,
    0.1,
    0.15,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    60,
    600,
)
_RECORDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
#: What may have happened to a record that a consumer read
OUTCOMES: Final = ("stored", "duplicate", "dead_lettered", "skipped", "failed")
#: The server whose absence pauses an app, and what the label `reason` says of it
_REASONS: Final = {"mongodb": "database", "kafka": "kafka"}

BUILD: Final = Gauge("quartet_build_info", "1, with the app's version and the digest of its sources", ["app", "version", "digest"])
VARIANT: Final = Gauge("quartet_variant_info", "1, with what this process does: topic, data set, or model and device", ["app", "detail"])
WATCHDOG_AGE: Final = Gauge("quartet_watchdog_age_seconds", "Seconds since the work loop fed systemd's watchdog", ["app"])
CONNECTED: Final = Gauge("quartet_connected", "1 while the server answers, else 0", ["server"])

SENT: Final = Counter("quartet_producer_sent_total", "Images handed to the Kafka client, repetitions included", ["producer_id"])
ACKNOWLEDGED_IMAGES: Final = Counter("quartet_producer_acknowledged_total", "Images that Kafka acknowledged", ["producer_id"])
FAILED_IMAGES: Final = Counter("quartet_producer_failed_total", "Sends of images that failed and are tried again", ["producer_id"])
SILENT: Final = Gauge(
    "quartet_silent_seconds", "Seconds since the last acknowledgement by Kafka while records wait for one; 0 when none waits"
)

READ: Final = Counter("quartet_records_read_total", "Records read from the topic")
RECORDS: Final = Counter(
    "quartet_records_total",
    "Records of a topic by outcome: stored, duplicate (its document was there), dead_lettered, skipped (another consumer dead-letters it), "
    "failed (a server did not answer; it is tried again)",
    ["app", "topic", "outcome"],
)
DEAD_LETTERS: Final = Counter("quartet_dead_letters_total", "Records put into the dead-letter topic", ["topic", "cause"])
SKIPPED: Final = Counter(
    "quartet_records_skipped_total", "Records that break their contract and that another consumer dead-letters", ["cause"]
)
ACKNOWLEDGED: Final = Counter("quartet_records_acknowledged_total", "Records that Kafka acknowledged to a consumer that sends", ["topic"])
INFERENCES: Final = Counter(
    "quartet_inferences_total",
    "Inferences that Kafka acknowledged: a rate, at least once; correct is true, false or unlabelled",
    ["model", "producer_id", "correct"],
)
RETRIED: Final = Counter("quartet_batches_retried_total", "Batches retried because a write failed")
OLDEST_UNREAD: Final = Gauge("quartet_oldest_unread_seconds", "Age of the record that was read last; 0 when nothing is left to read")
PAUSED: Final = Gauge("quartet_paused", "1 while nothing is consumed because a server is unavailable, else 0", ["app", "reason"])
PAUSED_SECONDS: Final = Counter("quartet_paused_seconds_total", "Seconds without consumption because a server was unavailable")
BATCH_SIZE: Final = Histogram("quartet_batch_size", "Records per batch", ["app"], buckets=_RECORDS)
STAGE: Final = Histogram("quartet_stage_seconds", "Duration of a stage of a batch", ["app", "stage"], buckets=_SECONDS)
END_TO_END: Final = Histogram(
    "quartet_end_to_end_seconds", "Seconds from capture until this app has finished with the image", buckets=_END_TO_END_SECONDS
)
IMAGES_PER_SECOND: Final = Gauge("quartet_images_per_second", "Rate since the last status line")
MODEL: Final = Gauge("quartet_model_info", "1, with the model in use: the first 12 hex digits of its SHA-256", ["sha12"])


class _Process:
    """The app that this process is; its name is the label `app`."""

    app = "quartet"


def app() -> str:
    """Return the name of this process's app, the value of the label `app`."""
    return _Process.app


def start(
    name: str,
    port: int,
    tls: MetricsTls | None,
    watchdog_fed_at: Callable[[], float],
    *,
    detail: str = "",
    registry: CollectorRegistry = REGISTRY,
) -> None:
    """Name the app and serve its metrics.

    Args:
        name: the app, such as db_consumer_images.
        port: where to serve.
        tls: TLS with client certificates at this address; None: plaintext on loopback.
        watchdog_fed_at: returns when the watchdog was fed, in seconds of time.monotonic().
        detail: what this process does.
        registry: the metrics to serve.

    Raises:
        QuartetError: CONFIGURATION, the credential metrics.pem is missing or the address is taken.
    """
    _Process.app = name
    version, _, digest = VERSION.partition("+")
    BUILD.labels(name, version, digest).set(1)
    VARIANT.labels(name, detail).set(1)
    WATCHDOG_AGE.labels(name).set_function(lambda: time.monotonic() - watchdog_fed_at())
    metrics_server.serve(registry, port, tls)


def expect(topic: str, outcomes: Iterable[str], causes: Iterable[str] = ()) -> None:
    """Begin the series of a consumer at 0, so that `increase()` sees the first event of each."""
    for outcome in outcomes:
        RECORDS.labels(app(), topic, outcome)
    for cause in causes:
        DEAD_LETTERS.labels(topic, cause)


def pause(server: str) -> None:
    """Show that the app is paused because a server (mongodb or kafka) does not answer."""
    PAUSED.labels(app(), _REASONS.get(server, server)).set(1)


def resume() -> None:
    """Show that the app is not paused."""
    for reason in _REASONS.values():
        PAUSED.labels(app(), reason).set(0)
