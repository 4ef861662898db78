"""The figures of a run: accuracy, confusion matrix, rates and end-to-end latencies. No I/O."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from quartet.audit.evidence import Evidence, InferenceRecord, in_log_order
from quartet.contracts.labels import LABELS

SECOND = 1_000_000
"""A second in microseconds."""


def percentile(values: Sequence[int], share: float) -> int | None:
    """Return the smallest value that at least this share (0..1) of the values does not exceed; None without values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def confusion(inferences: Iterable[InferenceRecord]) -> list[list[int]]:
    """Count labelled first inferences: rows are the true labels, columns the predictions, both in LABELS' order."""
    place = {label: i for i, label in enumerate(LABELS)}
    matrix = [[0] * len(LABELS) for _ in LABELS]
    for record in inferences:
        if record.actual_value is not None:
            matrix[place[record.actual_value]][place[record.image_prediction]] += 1
    return matrix


def rate(times: Sequence[int]) -> float | None:
    """Return events per second between the first and the last one (times in microseconds); None for fewer than two."""
    if len(times) < 2 or max(times) == min(times):
        return None
    return (len(times) - 1) * SECOND / (max(times) - min(times))


def latency(pairs: Iterable[tuple[int, int]]) -> dict[str, float | int | None]:
    """Return p50, p95 and maximum in milliseconds of (start, end) pairs in microseconds."""
    spans = [end - start for start, end in pairs]
    p50, p95 = percentile(spans, 0.5), percentile(spans, 0.95)
    return {
        "n": len(spans),
        "p50_ms": None if p50 is None else p50 / 1000,
        "p95_ms": None if p95 is None else p95 / 1000,
        "max_ms": max(spans) / 1000 if spans else None,
    }


def figures(evidence: Evidence) -> dict[str, Any]:
    """Return the figures of the report besides the counts: for all images and for each run (newest first)."""
    first = evidence.first_inferences()
    by_run: dict[str, list[str]] = defaultdict(list)
    sent: dict[str, int] = {}
    for image in in_log_order(evidence.images):
        if image.id not in sent:
            sent[image.id] = image.captured_at
            by_run[image.run].append(image.id)
    stored = {document.id: document for document in evidence.stored_images}
    runs = []
    for run, ids in by_run.items():
        captured = [sent[i] for i in ids]
        here = [first[i] for i in ids if i in first]
        kept = [stored[i] for i in ids if i in stored]
        runs.append(
            {
                "run": run,
                "images": len(ids),
                "first_captured_at": min(captured),
                "last_captured_at": max(captured),
                "produced_per_second": rate(captured),
                "stored_per_second": rate([d.received_at for d in kept]),
                "inferred_per_second": rate([r.inferred_at for r in here]),
                "captured_to_inferred": latency((r.captured_at, r.inferred_at) for r in here),
                "captured_to_stored": latency((d.captured_at, d.received_at) for d in kept),
            }
        )
    runs.sort(key=lambda run: -run["last_captured_at"])  # type: ignore[operator]
    labelled = [record for record in first.values() if record.actual_value is not None]
    producers = sorted({record.producer_id for record in labelled})
    return {
        "labels": list(LABELS),
        "confusion": {
            "all": confusion(labelled),
            **{str(p): confusion(r for r in labelled if r.producer_id == p) for p in producers},
        },
        "unlabelled": len(first) - len(labelled),
        "runs": runs,
    }
