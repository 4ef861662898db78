"""When a backup, a drill last succeeded, as files for node exporter's textfile collector: an alert asks how old that is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile


def record_success(directory: str, verb: Literal["backup", "restore_drill"], seconds: float, size: int) -> None:
    """Write when a verb succeeded (now), how long it took and how many bytes of documents it handled."""
    registry = CollectorRegistry()
    text = {"backup": "backup", "restore_drill": "restore drill"}[verb]
    Gauge(f"quartet_{verb}_last_success_timestamp_seconds", f"When the last {text} succeeded", registry=registry).set(time.time())
    Gauge(f"quartet_{verb}_duration_seconds", f"How long the last successful {text} took", registry=registry).set(seconds)
    Gauge(f"quartet_{verb}_bytes", f"Size of the documents in the last successful {text}", registry=registry).set(size)
    file = Path(directory) / f"quartet_{verb}.prom"
    write_to_textfile(str(file), registry)
    # The collector is another user.
    file.chmod(0o644)
