"""Evidence of a small run without violations, for tests to modify; it is judged as a file, like that of the servers."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from quartet.audit import verdict
from quartet.audit.evidence import (
    DeadLetter,
    ImageRecord,
    InferenceRecord,
    Ledger,
    LogCut,
    Offsets,
    Place,
    Result,
    StoredImage,
    StoredInference,
    TopicRange,
)
from quartet.audit.evidence_file import EvidenceFile
from quartet.counting.sequences import SeenSequences

MODEL = "0123456789ab"
COUNT = 6
PARTITIONS = 2


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the auditor read, small enough for memory."""

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
    versions: Mapping[str, str] = field(default_factory=dict)
    log_cuts: Sequence[LogCut] = ()

    @contextmanager
    def as_file(self, promised: Sequence[Ledger] = ()) -> Iterator[EvidenceFile]:
        """Yield the evidence and the ledgers as a file."""
        with tempfile.TemporaryDirectory() as folder:
            file = EvidenceFile(Path(folder))
            file.describe(taken_at=self.taken_at, model=self.model, images_topic=self.images_topic, inferences_topic=self.inferences_topic)
            file.add_versions(self.versions)
            file.add_committed(self.committed)
            file.add_results("batch", self.batch)
            file.add_results("stream", self.stream)
            for ledger in promised:
                file.add_ledger(ledger)
            for name, extent in self.topics.items():
                file.add_range(name, extent)
            for rows in (self.images, self.inferences, self.dead_letters, self.stored_images, self.stored_inferences, self.log_cuts):
                file.add_rows(rows)
            file.add_bad_records("images", self.refused_images)
            file.add_bad_records("inferences", self.refused_inferences)
            file.derive()
            try:
                yield file
            finally:
                file.close()

    def lags(self) -> dict[str, int]:
        """Return the number of records that each reader has not read."""
        with self.as_file() as file:
            return dict(file.query("SELECT reader, unread FROM lag"))


def judge(evidence, promised):
    """Judge evidence by ledgers."""
    with evidence.as_file(promised) as file:
        return verdict.judge(file)


def digest(producer_id, sequence):
    return hashlib.sha256(f"{producer_id} {sequence}".encode()).digest()


def image_id(producer_id, sequence):
    return f"{producer_id}-a-{sequence:012d}"


def image(producer_id, sequence, partition, offset):
    captured = 1_000_000 * sequence
    return ImageRecord(
        image_id(producer_id, sequence),
        producer_id,
        "a",
        sequence,
        "cat",
        captured,
        captured,
        digest(producer_id, sequence),
        partition,
        offset,
    )


def inference(record, offset):
    """Producer 102's images with odd sequences are classified as dogs."""
    label = "dog" if record.producer_id == 102 and record.sequence % 2 else "cat"
    return InferenceRecord(
        record.id,
        record.producer_id,
        "a",
        record.sequence,
        MODEL,
        label,
        record.actual_value,
        0.9,
        record.captured_at,
        record.captured_at + 30_000,
        record.partition,
        offset,
    )


def stored_image(record):
    return StoredImage(
        record.id,
        record.producer_id,
        "a",
        record.sequence,
        record.actual_value,
        record.captured_at,
        record.captured_at + 20_000,
        record.digest.hex(),
        record.digest,
        record.partition,
        record.offset,
    )


def stored_inference(record):
    return StoredInference(
        f"{record.id}/{record.model}",
        record.id,
        record.producer_id,
        record.model,
        record.image_prediction,
        record.actual_value,
        record.confidence,
        record.captured_at,
        record.inferred_at,
        record.partition,
        record.offset,
    )


def ledgers():
    return [Ledger(p, "a", COUNT, SeenSequences(range(COUNT)), COUNT, b"".join(digest(p, s) for s in range(COUNT))) for p in (101, 102)]


def good_run():
    """Two producers, six images each, partition = sequence mod 2."""
    images, ends = [], [0] * PARTITIONS
    for producer_id in (101, 102):
        for sequence in range(COUNT):
            partition = sequence % PARTITIONS
            images.append(image(producer_id, sequence, partition, ends[partition]))
            ends[partition] += 1
    inferences = [inference(record, record.offset) for record in images]
    offsets = dict(enumerate(ends))
    whole = TopicRange(dict.fromkeys(offsets, 0), offsets)
    results = [Result(101, 6, 0, MODEL, 1, None), Result(102, 6, 3, MODEL, 1, None)]
    return Evidence(
        taken_at=0,
        model=MODEL,
        images=images,
        inferences=inferences,
        refused_images=frozenset(),
        refused_inferences=frozenset(),
        dead_letters=[],
        stored_images=[stored_image(record) for record in images],
        stored_inferences=[stored_inference(record) for record in inferences],
        batch=results,
        stream=[replace(r, offsets=offsets) for r in results],
        topics={"images": whole, "inferences": whole, "dead-letters": TopicRange({0: 0}, {0: 0})},
        images_topic="images",
        inferences_topic="inferences",
        committed=dict.fromkeys(("images", "inferences", "inference"), offsets),
        versions={"database": "MongoDB 8.0"},
    )


def dead_letter(record, cause="database-rejected"):
    return DeadLetter("images", record.partition, record.offset, record.id, cause)


def without(records, record_id):
    return [record for record in records if record.id != record_id]


def added_end(evidence, topic, partition):
    """One more record at the end of a partition."""
    extent = evidence.topics[topic]
    longer = TopicRange(extent.begin, {**extent.end, partition: extent.end[partition] + 1})
    return {**evidence.topics, topic: longer}
