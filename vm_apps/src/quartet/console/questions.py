"""What the console asks Prometheus, and what it makes of the answers. One expression carries all questions, told apart by a label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from quartet.console.prometheus_api import Sample, Series
from quartet.runtime.settings import Groups, Topics

_QUESTION: Final = "question"
#: The group under which the exporter shows the offsets of Spark's stream
STREAM_GROUP: Final = "spark-stream"
RANGE_SECONDS: Final = 900
STEP_SECONDS: Final = 10


def together(questions: Mapping[str, str]) -> str:
    """Return one expression for all questions."""
    return " or ".join(f'label_replace({expression}, "{_QUESTION}", "{name}", "", "")' for name, expression in questions.items())


def now(topics: Topics) -> str:
    """Return the expression for the strip, the producers' counters, units, versions and a running operation."""
    return together(
        {
            "sent": "sum(rate(quartet_producer_acknowledged_total[1m]))",
            "appended": f'sum(rate(kafka_topic_partition_current_offset{{topic="{topics.images}"}}[1m]))',
            "inferred": "sum(rate(quartet_inferences_total[1m]))",
            "stored": f'sum(rate(quartet_records_total{{topic="{topics.images}",outcome="stored"}}[1m]))',
            "counted": f'sum(rate(kafka_consumergroup_current_offset{{consumergroup="{STREAM_GROUP}"}}[1m]))',
            "behind": "max by (consumergroup) (quartet_consumer_lag_seconds)",
            "unread": "sum by (consumergroup) (kafka_consumergroup_lag)",
            "brokers": "max(kafka_brokers)",
            "under_replicated": "sum(kafka_topic_partition_under_replicated_partition)",
            "sent_total": "sum by (producer_id) (last_over_time(quartet_producer_acknowledged_total[15d]))",
            "unit": "max by (name, host, instance, state) (node_systemd_unit_state) == 1",
            "build": "max by (app, version, digest) (quartet_build_info)",
            "operation": "max by (verb) (quartet_operation_running) == 1",
        }
    )


def charts(topics: Topics) -> str:
    """Return the expression for the charts."""
    latency = 'sum by (le) (rate(quartet_end_to_end_seconds_bucket{job="inference"}[1m]))'
    return together(
        {
            "sent": "sum(rate(quartet_producer_acknowledged_total[1m]))",
            "inferred": "sum(rate(quartet_inferences_total[1m]))",
            "stored": f'sum(rate(quartet_records_total{{topic="{topics.images}",outcome="stored"}}[1m]))',
            "p50": f"histogram_quantile(0.5, {latency})",
            "p99": f"histogram_quantile(0.99, {latency})",
            "behind": "max by (consumergroup) (quartet_consumer_lag_seconds)",
        }
    )


def answers(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Return the samples by question."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.labels.get(_QUESTION, ""), []).append(sample)
    return found


def by_label(samples: Iterable[Sample], label: str) -> dict[str, float]:
    """Return the known values by one of their labels."""
    return {sample.labels.get(label, ""): sample.value for sample in samples if sample.value is not None}


def readers(groups: Groups) -> dict[str, tuple[str, ...]]:
    """Return the consumer groups of each stage of the strip that reads."""
    return {"inference": (groups.inference,), "database": (groups.images, groups.inferences), "spark": (STREAM_GROUP,)}


def chart_data(series: Sequence[Series], groups: Groups, end: int) -> dict[str, Any]:
    """Return the charts: `times` (seconds since the epoch), and per chart its lines, each {name, values}; None where nothing is known."""
    times = list(range(end - RANGE_SECONDS, end + 1, STEP_SECONDS))
    found: dict[str, Mapping[int, float | None]] = {}
    for row in series:
        found[row.labels.get(_QUESTION, "") + "/" + row.labels.get("consumergroup", "")] = row.values

    def line(name: str, key: str) -> dict[str, Any]:
        values = found.get(key, {})
        return {"name": name, "values": [_rounded(values.get(at)) for at in times]}

    return {
        "times": times,
        "throughput": [line("sent", "sent/"), line("classified", "inferred/"), line("stored", "stored/")],
        "latency": [line("median", "p50/"), line("99 of 100", "p99/")],
        "lag": [
            line("inference", f"behind/{groups.inference}"),
            line("store images", f"behind/{groups.images}"),
            line("store inferences", f"behind/{groups.inferences}"),
            line("Spark", f"behind/{STREAM_GROUP}"),
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
