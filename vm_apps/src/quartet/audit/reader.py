"""Reads what the judging commands judge, with the auditor's rights, which change nothing.

The order makes the evidence judgeable while everything runs: first what was promised (ledgers, commits), then what must be there because
of it, each thing before what it was made from (documents, inferences, images). What arrives in between is too much, never missing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from quartet.audit.evidence import (
    DeadLetter,
    Evidence,
    ImageRecord,
    InferenceRecord,
    Ledger,
    Offsets,
    Result,
    StoredImage,
    StoredInference,
    TopicRange,
)
from quartet.contracts.causes import ContractError
from quartet.contracts.dead_letter import decode_dead_letter
from quartet.contracts.ids import parse_id
from quartet.contracts.image import decode_image
from quartet.contracts.inference import decode_inference
from quartet.counting.sequences import SeenSequences
from quartet.kafka import client as kafka_client
from quartet.mongodb import client as mongodb_client
from quartet.runtime.errors import ExitCode, QuartetError, Unavailable
from quartet.runtime.settings import AuditorSettings, password

_POLL_SECONDS = 1.0
_SILENCE_SECONDS = 30.0
_BATCH = 1000

Document = Mapping[str, Any]


@contextmanager
def reachable() -> Iterator[None]:
    """Turn Unavailable into an exit status: a command that is run by hand does not wait for servers."""
    try:
        yield
    except Unavailable as error:
        raise QuartetError(ExitCode.UNAVAILABLE, str(error)) from error


class Auditor:
    """The auditor's connections.

    Every method raises Unavailable if a server does not answer, and QuartetError (CREDENTIALS) if it does not allow it.
    """

    def __init__(self, settings: AuditorSettings) -> None:
        kafka_client.require_crc32c()
        self.settings = settings
        self._kafka_password = password("kafka-password", settings.credentials_directory)
        self._client = mongodb_client.connect(
            settings.mongodb, password("mongodb-password", settings.credentials_directory), app="quartet-auditor"
        )
        names = settings.collections
        self.image_collection = self._client[names.image_database][names.image_collection]
        results = self._client[names.results_database]
        self.inference_collection = results[names.inference_collection]
        self._batch_collection = results[names.batch_collection]
        self._stream_collection = results[names.stream_collection]

    def server(self) -> str:
        """Return the database server's own name and version."""
        return mongodb_client.server(self._client)

    def committed(self) -> dict[str, dict[int, int]]:
        """Return the committed offsets of the groups images, inferences and inference, by partition."""
        groups = self.settings.groups
        admin = kafka_client.connect_admin(self.settings.kafka, self._kafka_password)
        try:
            with kafka_client.translated():
                found = admin.list_group_offsets([groups.images, groups.inferences, groups.inference])
        finally:
            admin.close()
        topics = self.settings.topics
        wanted = {
            "images": (groups.images, topics.images),
            "inferences": (groups.inferences, topics.inferences),
            "inference": (groups.inference, topics.images),
        }
        return {
            name: {p.partition: o.offset for p, o in found.get(group, {}).items() if p.topic == topic and o.offset >= 0}
            for name, (group, topic) in wanted.items()
        }

    def members(self) -> dict[str, list[str]]:
        """Return who reads in each group: `<instance> at <host>`."""
        groups = self.settings.groups
        admin = kafka_client.connect_admin(self.settings.kafka, self._kafka_password)
        try:
            with kafka_client.translated():
                found = admin.describe_groups([groups.images, groups.inferences, groups.inference])
        finally:
            admin.close()
        return {
            group: sorted(
                f"{m.get('group_instance_id') or m.get('client_id')} at {str(m.get('client_host', '')).lstrip('/')}"
                for m in description.get("members", [])
            )
            for group, description in found.items()
        }

    def ranges(self, *topics: str) -> dict[str, TopicRange]:
        """Return the first and the end offsets of topics."""
        consumer = kafka_client.connect_reader(self.settings.kafka, self._kafka_password)
        try:
            return {topic: _range(consumer, topic) for topic in topics}
        finally:
            consumer.close()

    def read_topic(self, topic: str) -> tuple[TopicRange, Iterator[Any]]:
        """Return a topic's range and an iterator of its records up to the end that it has now."""
        consumer = kafka_client.connect_reader(self.settings.kafka, self._kafka_password)
        extent = _range(consumer, topic)
        return extent, _records(consumer, topic, extent)

    def record_at(self, topic: str, partition: int, offset: int) -> Any | None:
        """Return the record at a place, or None if the topic no longer holds it."""
        consumer = kafka_client.connect_reader(self.settings.kafka, self._kafka_password)
        try:
            extent = _range(consumer, topic)
            if not extent.begin.get(partition, 0) <= offset < extent.end.get(partition, 0):
                return None
            only = TopicRange({partition: offset}, {partition: offset + 1})
            return next((r for r in _records(consumer, topic, only) if r.offset == offset), None)
        finally:
            consumer.close()

    def batch(self) -> list[Result]:
        """Return the batch's documents."""
        with mongodb_client.translated():
            return [result(document) for document in self._batch_collection.find({})]

    def stream(self) -> list[Result]:
        """Return the stream's documents."""
        with mongodb_client.translated():
            return [result(document) for document in self._stream_collection.find({})]

    def stored_images(self) -> list[StoredImage]:
        """Return all documents of images, their bytes as digests."""
        with mongodb_client.translated():
            return [stored_image(document) for document in self.image_collection.find({}, batch_size=_BATCH)]

    def stored_inferences(self) -> list[StoredInference]:
        """Return all documents of inferences."""
        with mongodb_client.translated():
            return [stored_inference(document) for document in self.inference_collection.find({}, batch_size=_BATCH)]

    def counts(self) -> dict[str, int]:
        """Return how many images and inferences of the model are stored."""
        with mongodb_client.translated():
            return {
                "images": self.image_collection.estimated_document_count(),
                "inferences": self.inference_collection.count_documents({"model": self.settings.model}),
            }

    def versions(self) -> dict[str, str]:
        """Return what runs where, as far as it can be asked."""
        settings = self.settings
        readers = "; ".join(f"{group}: {', '.join(who) or 'nobody'}" for group, who in self.members().items())
        return {
            "database": f"{self.server()} at {', '.join(settings.mongodb.hosts)}",
            "kafka": f"at {', '.join(settings.kafka.bootstrap_servers)}",
            "readers": readers,
            "model": settings.model,
        }

    def collect(self) -> Evidence:
        """Collect everything."""
        topics = self.settings.topics
        taken_at = time.time_ns() // 1000
        committed = self.committed()
        stream, batch = self.stream(), self.batch()
        stored_images, stored_inferences = self.stored_images(), self.stored_inferences()
        letters_range, letters = self.read_topic(topics.dead_letters)
        dead_letters = dead_letter_records(letters)
        inferences_range, inference_log = self.read_topic(topics.inferences)
        inferences, refused_inferences = inference_records(inference_log)
        images_range, image_log = self.read_topic(topics.images)
        images, refused_images = image_records(image_log)
        return Evidence(
            taken_at=taken_at,
            model=self.settings.model,
            images=images,
            inferences=inferences,
            refused_images=refused_images,
            refused_inferences=refused_inferences,
            dead_letters=dead_letters,
            stored_images=stored_images,
            stored_inferences=stored_inferences,
            batch=batch,
            stream=stream,
            topics={topics.images: images_range, topics.inferences: inferences_range, topics.dead_letters: letters_range},
            images_topic=topics.images,
            inferences_topic=topics.inferences,
            committed=committed,
            versions=self.versions(),
        )


def _range(consumer: KafkaConsumer, topic: str) -> TopicRange:
    with kafka_client.translated():
        partitions = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
        if not partitions:
            raise QuartetError(ExitCode.INPUT, f"topic {topic} does not exist")
        begin, end = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    return TopicRange({p.partition: o for p, o in begin.items()}, {p.partition: o for p, o in end.items()})


def _records(consumer: KafkaConsumer, topic: str, extent: TopicRange) -> Iterator[Any]:
    left = {TopicPartition(topic, p): end for p, end in extent.end.items() if end > extent.begin[p]}
    try:
        with kafka_client.translated():
            consumer.assign(list(left))
            for partition in left:
                consumer.seek(partition, extent.begin[partition.partition])
        heard = time.monotonic()
        while left:
            with kafka_client.translated():
                found = consumer.poll(timeout_ms=int(_POLL_SECONDS * 1000))
            for partition, records in found.items():
                heard = time.monotonic()
                for record in records:
                    if record.offset < left.get(partition, 0):
                        yield record
            with kafka_client.translated():
                left = {p: end for p, end in left.items() if consumer.position(p) < end}
            if time.monotonic() - heard > _SILENCE_SECONDS:
                raise Unavailable("kafka", f"no record of {topic} came for {_SILENCE_SECONDS:.0f} s")
    finally:
        consumer.close()


def image_records(records: Iterator[Any]) -> tuple[list[ImageRecord], frozenset[tuple[int, int]]]:
    """Decode the log of the images; return the good ones and the places of the bad ones."""
    good, bad = [], []
    for record in records:
        try:
            image = decode_image(record.key, record.value, record.headers)
        except ContractError:
            bad.append((record.partition, record.offset))
            continue
        good.append(
            ImageRecord(
                id=image.id,
                producer_id=image.producer_id,
                run=image.run,
                sequence=image.sequence,
                actual_value=image.actual_value,
                captured_at=image.captured_at,
                appended_at=record.timestamp * 1000,
                digest=hashlib.sha256(image.payload).digest(),
                partition=record.partition,
                offset=record.offset,
            )
        )
    return good, frozenset(bad)


def inference_records(records: Iterator[Any]) -> tuple[list[InferenceRecord], frozenset[tuple[int, int]]]:
    """Decode the log of the inferences; return the good ones and the places of the bad ones."""
    good, bad = [], []
    for record in records:
        try:
            inference = decode_inference(record.key, record.value)
        except ContractError:
            bad.append((record.partition, record.offset))
            continue
        good.append(
            InferenceRecord(
                id=inference.id,
                producer_id=inference.producer_id,
                run=inference.run,
                sequence=inference.sequence,
                model=inference.model,
                image_prediction=inference.image_prediction,
                actual_value=inference.actual_value,
                confidence=inference.confidence,
                captured_at=inference.captured_at,
                inferred_at=inference.inferred_at,
                partition=record.partition,
                offset=record.offset,
            )
        )
    return good, frozenset(bad)


def dead_letter_records(records: Iterator[Any]) -> list[DeadLetter]:
    """Decode the dead letters, one for each refused record. What is no dead letter accounts for no record."""
    letters: dict[tuple[str, int, int], DeadLetter] = {}
    for record in records:
        try:
            letter = decode_dead_letter(record.value)
        except ContractError:
            continue
        letters.setdefault(
            (letter.topic, letter.partition, letter.offset),
            DeadLetter(letter.topic, letter.partition, letter.offset, named_id(letter.key), letter.cause.value),
        )
    return list(letters.values())


def named_id(key: bytes | None) -> str | None:
    """Return the image id that a record's key is, if it is one."""
    text = "" if key is None else key.decode("ascii", "replace")
    try:
        parse_id(text)
    except ContractError:
        return None
    return text


def stored_image(document: Document) -> StoredImage:
    """Read a document of an image."""
    place = document["kafka"]
    return StoredImage(
        id=document["_id"],
        producer_id=document["producer_id"],
        run=document["run"],
        sequence=document["sequence"],
        actual_value=document.get("actual_value"),
        captured_at=document["captured_at"],
        received_at=document["received_at"],
        payload_sha256=document["payload_sha256"],
        digest=hashlib.sha256(document["image"]).digest(),
        partition=place["partition"],
        offset=place["offset"],
    )


def stored_inference(document: Document) -> StoredInference:
    """Read a document of an inference."""
    place = document["kafka"]
    return StoredInference(
        key=document["_id"],
        id=document["id"],
        producer_id=document["producer_id"],
        model=document["model"],
        image_prediction=document["image_prediction"],
        actual_value=document.get("actual_value"),
        confidence=document["confidence"],
        captured_at=document["captured_at"],
        inferred_at=document["inferred_at"],
        partition=place["partition"],
        offset=place["offset"],
    )


def result(document: Document) -> Result:
    """Read a document of counts."""
    offsets: Offsets | None = None
    if "offsets" in document:
        offsets = {int(partition): int(offset) for partition, offset in document["offsets"].items()}
    return Result(
        producer_id=document["producer_id"],
        total=document["total_count"],
        incorrect=document["incorrect_count"],
        model=document["model"],
        updated_at=document["updated_at"],
        offsets=offsets,
    )


def ledger(exported: Mapping[str, Any]) -> Ledger:
    """Read one ledger of `quartet ledger export`."""
    acknowledged = SeenSequences(s for first, end in exported["acknowledged"] for s in range(first, end))
    return Ledger(
        producer_id=exported["producer_id"],
        run=exported["run"],
        high_water=exported["high_water"],
        acknowledged=acknowledged,
        finished=exported.get("finished"),
        digests=zlib.decompress(base64.b64decode(exported.get("payload_sha256") or base64.b64encode(zlib.compress(b"")))),
        dataset=exported.get("dataset") or {},
    )


def read_ledgers(file: str | Path) -> list[Ledger]:
    """Read the exported ledgers of all producers.

    Raises:
        QuartetError: INPUT, the file is missing or is not such an export.
    """
    try:
        exported: Sequence[Any] = json.loads(Path(file).read_bytes())
        return [ledger(one) for one in exported]
    except (OSError, ValueError, TypeError, KeyError, zlib.error) as error:
        raise QuartetError(ExitCode.INPUT, f"cannot read the ledgers {file}: {type(error).__name__} {error}") from None
