"""The records and documents of the evidence, each with the fields of its table in sql/tables.sql.

`reader` reads them from the servers and hands them to an `EvidenceFile` in batches; of an image only the digest is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quartet.counting.sequences import SeenSequences

Offsets = Mapping[int, int]
"""Offset by partition."""

Place = tuple[int, int]
"""Partition and offset of a record of a topic."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """A producer's own record of one run: sequences below `high_water` may have been sent, the acknowledged ones are in Kafka.

    `finished`: the count with which the run was finished, if it was; `digests`: sha256 of the payloads, 32 bytes per sequence.
    """

    producer_id: int
    run: str
    high_water: int
    acknowledged: SeenSequences
    finished: int | None = None
    digests: bytes = b""
    dataset: Mapping[str, Any] = field(default_factory=dict)

    def digest(self, sequence: int) -> bytes | None:
        """Return the sha256 of the payload that was sent; None if the ledger does not have it."""
        return self.digests[32 * sequence : 32 * (sequence + 1)] or None


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A valid record of the topic `images`. Times in microseconds since the epoch; `appended_at`: the broker's clock."""

    id: str
    producer_id: int
    run: str
    sequence: int
    actual_value: str | None
    captured_at: int
    appended_at: int
    digest: bytes
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class InferenceRecord:
    """A valid record of the topic `inferences`."""

    id: str
    producer_id: int
    run: str
    sequence: int
    model: str
    image_prediction: str
    actual_value: str | None
    confidence: float
    captured_at: int
    inferred_at: int
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A document of the images collection. `digest`: sha256 of the stored bytes; `payload_sha256`: the document's field."""

    id: str
    producer_id: int
    run: str
    sequence: int
    actual_value: str | None
    captured_at: int
    received_at: int
    payload_sha256: str
    digest: bytes
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class StoredInference:
    """A document of the inferences collection."""

    key: str
    id: str
    producer_id: int
    model: str
    image_prediction: str
    actual_value: str | None
    confidence: float
    captured_at: int
    inferred_at: int
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused record: its position, the image id in its key, if any, and the cause."""

    topic: str
    partition: int
    offset: int
    id: str | None
    cause: str


@dataclass(frozen=True, slots=True)
class Result:
    """A producer's document in the collection of the batch or the stream. `offsets`: offsets up to which the stream has counted."""

    producer_id: int
    total: int
    incorrect: int
    model: str
    updated_at: int
    offsets: Offsets | None = None


@dataclass(frozen=True, slots=True)
class TopicRange:
    """The first available offset of each partition, and the end up to which it was read."""

    begin: Offsets
    end: Offsets


@dataclass(frozen=True, slots=True)
class LogCut:
    """Offsets of which a group has read records that the log has lost since: `first` <= offset < `stop`. Others may be there now."""

    topic: str
    partition: int
    first: int
    stop: int


def unread(topic: TopicRange, committed: Offsets) -> int:
    """Return the number of a topic's records at or after the committed offsets."""
    return sum(max(0, end - max(committed.get(p, 0), topic.begin.get(p, 0))) for p, end in topic.end.items())


def uncounted(topic: TopicRange, stream: Sequence[Result]) -> int:
    """Return the number of a topic's records at or after the offsets in the stream's documents."""
    return unread(topic, {p: max((r.offsets or {}).get(p, 0) for r in stream) for p in topic.end} if stream else {})
