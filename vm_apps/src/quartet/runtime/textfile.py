"""Metrics of commands that end, as files for node exporter's textfile collector."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

Verb = Literal["verify", "batch", "backup", "restore_drill"]
#: What each verb is, and the quantities that it may add
VERBS: Final[Mapping[Verb, str]] = {"verify": "verify", "batch": "batch count", "backup": "backup", "restore_drill": "restore drill"}
#: Name, labels and meaning of what the roles and playbooks write themselves (roles/node_exporter, playbooks/tasks/operation_metric.yml)
WRITTEN_BY_ROLES: Final = (
    ("quartet_certificate_not_after_timestamp_seconds", ("name",), "When the certificate ends"),
    ("quartet_operation_running", ("verb",), "1 while an operation changes this installation, else 0"),
    ("quartet_operation_timestamp_seconds", ("verb",), "When the operation began, or ended"),
)
MORE: Final = {"duration_seconds": "How long the last successful {} took", "bytes": "Size of the documents in the last successful {}"}


def declare(verb: Verb, registry: CollectorRegistry, more: Mapping[str, float]) -> Gauge:
    """Create the metrics of a verb; return that of its last success."""
    for name, value in more.items():
        Gauge(f"quartet_{verb}_{name}", MORE[name].format(VERBS[verb]), registry=registry).set(value)
    return Gauge(f"quartet_{verb}_last_success_timestamp_seconds", f"When the last {VERBS[verb]} succeeded", registry=registry)


def record_success(directory: str, verb: Verb, **more: float) -> None:
    """Write that a verb succeeded now, with further quantities of MORE, so that an alert can ask how old that is.

    Raises:
        OSError: the directory cannot be written.
    """
    registry = CollectorRegistry()
    declare(verb, registry, more).set(time.time())
    file = Path(directory) / f"quartet_{verb}.prom"
    write_to_textfile(str(file), registry)
    # The collector is another user.
    file.chmod(0o644)
