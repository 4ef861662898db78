"""The figures of a run: accuracy, confusion matrix, rates and end-to-end latencies, from the views of sql/figures.sql."""

from __future__ import annotations

from typing import Any

from quartet.audit.evidence_file import EvidenceFile
from quartet.contracts.labels import LABELS


def figures(evidence: EvidenceFile) -> dict[str, Any]:
    """Return the figures of the report besides the counts: for all images and for each run (newest first)."""
    [(unlabelled,)] = evidence.query("SELECT count(*) FROM first_inferences WHERE actual_value IS NULL")
    return {"labels": list(LABELS), "confusion": _confusion(evidence), "unlabelled": unlabelled, "runs": _runs(evidence)}


def _confusion(evidence: EvidenceFile) -> dict[str, list[list[int]]]:
    """Return the matrix of all producers and of each: rows are the true labels, columns the predictions, both in LABELS' order."""
    place = {label: i for i, label in enumerate(LABELS)}
    cells = evidence.query("FROM confusion")
    names = ["all", *(str(producer_id) for producer_id in sorted({cell[0] for cell in cells}))]
    matrices = {name: [[0] * len(LABELS) for _ in LABELS] for name in names}
    for producer_id, label, prediction, n in cells:
        for name in ("all", str(producer_id)):
            matrices[name][place[label]][place[prediction]] += n
    return matrices


def _runs(evidence: EvidenceFile) -> list[dict[str, Any]]:
    times = {(stage, run): (per_second, spans) for stage, run, per_second, *spans in evidence.query("FROM stage_times")}
    nothing = (None, (0, None, None, None))
    runs = []
    for run, images, first, last, produced in evidence.query("FROM runs ORDER BY last_captured_at DESC, run"):
        inferred_rate, to_inferred = times.get(("inferred", run), nothing)
        stored_rate, to_stored = times.get(("stored", run), nothing)
        runs.append(
            {
                "run": run,
                "images": images,
                "first_captured_at": first,
                "last_captured_at": last,
                "produced_per_second": produced,
                "stored_per_second": stored_rate,
                "inferred_per_second": inferred_rate,
                "captured_to_inferred": dict(zip(("n", "p50_ms", "p95_ms", "max_ms"), to_inferred, strict=True)),
                "captured_to_stored": dict(zip(("n", "p50_ms", "p95_ms", "max_ms"), to_stored, strict=True)),
            }
        )
    return runs
