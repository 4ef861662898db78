"""Filters the topic `inferences` in Spark, with the contract's own validation on the executors.

A second definition in Spark SQL would be lenient where the contract is strict (quoted numbers, duplicate keys, trailing
text), so there is none; this filter is tested with the golden corpus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from quartet.contracts.causes import ContractError
from quartet.contracts.inference import Inference, decode_inference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMA = (
    "model string, producer_id int, run string, sequence long, image_prediction string, actual_value string, partition int, offset long"
)


def decode(key: bytes | None, value: bytes | None) -> Inference | None:
    """Return the inference of a record, or None if the record violates its contract (the DB consumer reports it)."""
    try:
        return decode_inference(key, value)
    except ContractError:
        return None


def decode_frame(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return the valid records of one model from Kafka's columns key, value, partition and offset."""
    rows = []
    for key, value, partition, offset in zip(frame["key"], frame["value"], frame["partition"], frame["offset"], strict=True):
        record = decode(key, value)
        if record is not None and record.model == model:
            rows.append(
                (
                    record.model,
                    record.producer_id,
                    record.run,
                    record.sequence,
                    record.image_prediction,
                    record.actual_value,
                    partition,
                    offset,
                )
            )
    return pd.DataFrame(rows, columns=[column.split()[0] for column in SCHEMA.split(", ")])


def decoder(model: str) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Return the function for `mapInPandas` that keeps the valid records of one model."""

    def decode_frames(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for frame in frames:
            yield decode_frame(frame, model)

    return decode_frames
