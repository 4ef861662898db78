"""The evidence that the auditor collects, as plain data: ledgers, topics, collections and committed offsets.

`reader` collects it from the servers; `rules`, `verdict` and `figures` evaluate it without any I/O.
Only the digest of an image is kept, so a million images fit into memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

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

    @property
    def is_finished(self) -> bool:
        """Whether the producer has sent everything it reserved, so that no further images can appear."""
        return self.finished is not None and self.finished >= self.high_water

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
class Evidence:
    """All evidence, collected in the order that allows judging a live system: see `reader`."""

    taken_at: int
    model: str
    images: Sequence[ImageRecord]
    inferences: Sequence[InferenceRecord]
    refused_images: frozenset[Place]
    refused_inferences: frozenset[Place]
    dead_letters: Sequence[DeadLetter]
    stored_images: Sequence[StoredImage]
    stored_inferences: Sequence[StoredInference]
    batch: Sequence[Result]
    stream: Sequence[Result]
    topics: Mapping[str, TopicRange]
    images_topic: str
    inferences_topic: str
    committed: Mapping[str, Offsets]
    """Offsets committed by the groups `images`, `inferences` and `inference`."""
    versions: Mapping[str, str] = field(default_factory=dict)

    def lag(self, group: str) -> int:
        """Return the number of records that a group (images, inferences, inference) has not yet committed."""
        topic = self.topics[self.inferences_topic if group == "inferences" else self.images_topic]
        return unread(topic, self.committed.get(group, {}))

    def stream_lag(self) -> int:
        """Return the number of inference records that the stream has not yet counted."""
        return uncounted(self.topics[self.inferences_topic], self.stream)

    @property
    def drained(self) -> bool:
        """Whether every group has committed, and the stream has counted, all records."""
        return all(self.lag(group) == 0 for group in ("images", "inferences", "inference")) and self.stream_lag() == 0

    def has_committed(self, group: str, at: Place) -> bool:
        """Return whether a group (images, inferences, inference) has committed the record at a position."""
        partition, offset = at
        return offset < self.committed.get(group, {}).get(partition, 0)

    def dead_letters_of(self, topic: str) -> list[DeadLetter]:
        """Return the dead letters of a topic's records."""
        return [letter for letter in self.dead_letters if letter.topic == topic]

    def first_inferences(self) -> dict[str, InferenceRecord]:
        """Return the first inference of the model for each image id in log order: the one that counts."""
        first: dict[str, InferenceRecord] = {}
        for record in in_log_order(self.inferences):
            if record.model == self.model:
                first.setdefault(record.id, record)
        return first


def unread(topic: TopicRange, committed: Offsets) -> int:
    """Return the number of a topic's records at or after the committed offsets."""
    return sum(max(0, end - max(committed.get(p, 0), topic.begin.get(p, 0))) for p, end in topic.end.items())


def uncounted(topic: TopicRange, stream: Sequence[Result]) -> int:
    """Return the number of a topic's records at or after the offsets in the stream's documents."""
    return unread(topic, {p: max((r.offsets or {}).get(p, 0) for r in stream) for p in topic.end} if stream else {})


class _Placed(Protocol):
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...


def place(record: _Placed) -> Place:
    """Return the position of a record, or of the record of a document."""
    return record.partition, record.offset


PlacedT = TypeVar("PlacedT", bound=_Placed)


def in_log_order(records: Iterable[PlacedT]) -> list[PlacedT]:
    """Sort records by partition and offset. All records of an id are in one partition, so this order defines its first record."""
    return sorted(records, key=lambda record: (record.partition, record.offset))
