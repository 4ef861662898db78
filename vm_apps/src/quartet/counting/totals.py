"""What is counted, and what counts as incorrect: the single definition of the Spark batch, the Spark stream and `quartet verify`.

For each image id and model the first record in log order counts, if the image is labelled; it is incorrect if the
prediction differs from the label. Standard library only, so that it also runs in Spark's executors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from quartet.counting.sequences import SeenSequences

if TYPE_CHECKING:
    from collections.abc import Iterable


class Inference(NamedTuple):
    """The fields of an inference that the count depends on."""

    producer_id: int
    run: str
    sequence: int
    model: str
    image_prediction: str
    actual_value: str | None


class Totals(NamedTuple):
    """Number of counted images of one producer, and how many of them were classified incorrectly."""

    total: int = 0
    incorrect: int = 0


def is_incorrect(image_prediction: str, actual_value: str) -> bool:
    """Return whether a labelled image was classified incorrectly."""
    return image_prediction != actual_value


def tally(image_prediction: str, actual_value: str | None) -> Totals:
    """Return what the first record of an id adds to its producer's totals: nothing if the image has no label."""
    if actual_value is None:
        return Totals(0, 0)
    return Totals(1, int(is_incorrect(image_prediction, actual_value)))


class ProducerCount:
    """The running count of one producer for one model: its totals and the sequences seen of each run."""

    def __init__(self, totals: Totals = Totals(), seen: dict[str, SeenSequences] | None = None) -> None:  # noqa: B008 (immutable)
        self.totals = totals
        self.seen: dict[str, SeenSequences] = {} if seen is None else seen

    def add(self, run: str, sequence: int, image_prediction: str, actual_value: str | None) -> bool:
        """Add a record, in log order; return whether it was the first of its id."""
        seen = self.seen.get(run)
        if seen is None:
            seen = self.seen[run] = SeenSequences()
        if not seen.add(sequence):
            return False
        more = tally(image_prediction, actual_value)
        self.totals = Totals(self.totals.total + more.total, self.totals.incorrect + more.incorrect)
        return True


def count(inferences: Iterable[Inference], model: str) -> dict[int, Totals]:
    """Count the records of `model`, given in log order. Producers without a labelled image are omitted."""
    producers: dict[int, ProducerCount] = {}
    for record in inferences:
        if record.model != model:
            continue
        producer = producers.get(record.producer_id)
        if producer is None:
            producer = producers[record.producer_id] = ProducerCount()
        producer.add(record.run, record.sequence, record.image_prediction, record.actual_value)
    return {producer_id: p.totals for producer_id, p in sorted(producers.items()) if p.totals.total}
