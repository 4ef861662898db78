"""The stream's stateful operator: the totals per model and producer, and the counted sequences per run.

State variables (their names and schemas are part of the checkpoint; Avro allows adding fields):
- `totals`: value `{total, incorrect}`, read back by the `statestore` source when the job starts.
- `seen`: map `run -> SeenSequences.to_bytes()`, so that every duplicate is skipped, however old.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from pyspark.sql.streaming.stateful_processor import StatefulProcessor
from quartet.counting.sequences import SeenSequences
from quartet.counting.totals import ProducerCount, Totals

if TYPE_CHECKING:
    from collections.abc import Iterator

TOTALS = "totals"
TOTALS_SCHEMA = "total long, incorrect long"
SEEN = "seen"
SEEN_KEY_SCHEMA = "run string"
SEEN_VALUE_SCHEMA = "sequences binary"
OUTPUT_SCHEMA = "model string, producer_id int, total_count long, incorrect_count long"


def add_in_log_order(producer: ProducerCount, records: pd.DataFrame) -> set[str]:
    """Add one producer's records to its count; return the runs with newly counted records.

    The shuffle mixes partitions, so the log order is restored here. All records of an id are in one partition, so in the
    order of `(partition, offset)` the first record of each id is the first in the log.
    """
    ordered = records.sort_values(["partition", "offset"], kind="stable")
    columns = [ordered[name].tolist() for name in ("run", "sequence", "image_prediction", "actual_value")]
    return {row[0] for row in zip(*columns, strict=True) if producer.add(*row)}


class ProducerState(StatefulProcessor):  # type: ignore[misc]
    """Counts one (model, producer_id) and emits its absolute totals whenever records of it arrive."""

    def init(self, handle: Any) -> None:
        """Declare the state variables."""
        self._totals = handle.getValueState(TOTALS, TOTALS_SCHEMA)
        self._seen = handle.getMapState(SEEN, SEEN_KEY_SCHEMA, SEEN_VALUE_SCHEMA)

    def handleInputRows(self, key: Any, rows: Iterator[pd.DataFrame], timerValues: Any) -> Iterator[pd.DataFrame]:  # noqa: ARG002, N802, N803 (Spark's names)
        """Add one micro-batch's records of `key`, which is `(model, producer_id)`."""
        records = pd.concat(list(rows), ignore_index=True)
        totals = Totals(*self._totals.get()) if self._totals.exists() else Totals()
        producer = ProducerCount(totals, {run: self._load(run) for run in records["run"].unique()})
        for run in add_in_log_order(producer, records):
            self._seen.updateValue((run,), (producer.seen[run].to_bytes(),))
        self._totals.update((producer.totals.total, producer.totals.incorrect))
        yield pd.DataFrame(
            {
                "model": [key[0]],
                "producer_id": [key[1]],
                "total_count": [producer.totals.total],
                "incorrect_count": [producer.totals.incorrect],
            }
        )

    def close(self) -> None:
        """Nothing to close."""

    def _load(self, run: str) -> SeenSequences:
        if not self._seen.containsKey((run,)):
            return SeenSequences()
        return SeenSequences.from_bytes(bytes(self._seen.getValue((run,))[0]))
