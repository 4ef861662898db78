"""The metrics of the stream's driver."""

from __future__ import annotations

import json

import pytest
from quartet_spark import stream_metrics

#: As Spark 4 reports a micro-batch, shortened; the offsets are JSON in JSON there
PROGRESS = {
    "batchId": 7,
    "batchDuration": 1250,
    "durationMs": {"triggerExecution": 1250, "latestOffset": 3},
    "numInputRows": 300,
    "inputRowsPerSecond": 240.5,
    "processedRowsPerSecond": 300.0,
    "stateOperators": [{"numRowsTotal": 4, "memoryUsedBytes": 1000}, {"numRowsTotal": 1, "memoryUsedBytes": 24}],
    "sources": [{"endOffset": {"inferences": {"0": 100, "1": 50}}, "latestOffset": {"inferences": {"0": 130, "1": 50, "2": 5}}}],
}


def value(name: str) -> float | None:
    return stream_metrics.REGISTRY.get_sample_value(name)


def test_the_progress_of_a_batch() -> None:
    stream_metrics.observe(json.dumps(PROGRESS))
    assert value("quartet_stream_batch_id") == 7
    assert value("quartet_stream_batch_seconds") == 1.25
    assert value("quartet_stream_input_rows_per_second") == 240.5
    assert value("quartet_stream_state_rows") == 5
    assert value("quartet_stream_state_bytes") == 1024
    assert value("quartet_stream_offsets_behind") == 35


def test_a_source_that_is_not_kafka_is_not_behind() -> None:
    stream_metrics.observe(json.dumps(PROGRESS | {"sources": [{"endOffset": 11, "latestOffset": 12}]}))
    assert value("quartet_stream_offsets_behind") == 0


@pytest.mark.parametrize("rate", [None, "NaN"])
def test_a_batch_without_a_rate(rate: str | None) -> None:
    stream_metrics.observe(json.dumps(PROGRESS | {"inputRowsPerSecond": rate, "sources": [], "stateOperators": []}))
    assert value("quartet_stream_input_rows_per_second") == 0
    assert value("quartet_stream_offsets_behind") == 0
