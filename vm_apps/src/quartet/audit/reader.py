"""Reads the servers for the auditing commands, with the auditor's read-only access."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kafka.structs import OffsetAndMetadata

from quartet.audit.decoding import result, stored_image, stored_inference
from quartet.audit.evidence import LogCut, Result, StoredImage, StoredInference, TopicRange
from quartet.audit.log_cuts import log_cuts
from quartet.audit.topics import topic_range, topic_records
from quartet.kafka import client as kafka_client
from quartet.mongodb import client as mongodb_client
from quartet.runtime.settings import AuditorSettings, password

_BATCH = 1000


class Auditor:
    """The auditor's connections.

    Every method raises Unavailable if a server does not answer, and QuartetError (CREDENTIALS) if it refuses access.
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
        """Return the name and version of the database server."""
        return mongodb_client.server(self._client)

    def committed(self) -> dict[str, dict[int, int]]:
        """Return the committed offsets of the groups images, inferences and inference, by partition."""
        return {name: {p: o.offset for p, o in commits.items()} for name, (_, commits) in self._commits().items()}

    def log_cuts(self) -> list[LogCut]:
        """Return what the logs have lost of what the groups have read."""
        consumer = kafka_client.connect_reader(self.settings.kafka, self._kafka_password)
        try:
            return [cut for topic, commits in self._commits().values() for cut in log_cuts(consumer, topic, commits)]
        finally:
            consumer.close()

    def _commits(self) -> dict[str, tuple[str, dict[int, OffsetAndMetadata]]]:
        """Return the topic and the commits by partition of the groups images, inferences and inference."""
        groups = self.settings.groups
        admin = kafka_client.connect_admin(self.settings.kafka, self._kafka_password)
        try:
            with kafka_client.translate_errors():
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
            name: (topic, {p.partition: o for p, o in found.get(group, {}).items() if p.topic == topic and o.offset >= 0})
            for name, (group, topic) in wanted.items()
        }

    def members(self) -> dict[str, list[str]]:
        """Return the members of each group as `<instance> at <host>`."""
        groups = self.settings.groups
        admin = kafka_client.connect_admin(self.settings.kafka, self._kafka_password)
        try:
            with kafka_client.translate_errors():
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
        """Return the first and the end offsets of the partitions of topics."""
        consumer = kafka_client.connect_reader(self.settings.kafka, self._kafka_password)
        try:
            return {topic: topic_range(consumer, topic) for topic in topics}
        finally:
            consumer.close()

    def read_topic(self, topic: str) -> tuple[TopicRange, Iterator[Any]]:
        """Return a topic's current range and an iterator over its records."""
        consumer = kafka_client.connect_reader(self.settings.kafka, self._kafka_password)
        extent = topic_range(consumer, topic)
        return extent, topic_records(consumer, topic, extent)

    def record_at(self, topic: str, partition: int, offset: int) -> Any | None:
        """Return the record at an offset, or None if it was deleted."""
        consumer = kafka_client.connect_reader(self.settings.kafka, self._kafka_password)
        try:
            extent = topic_range(consumer, topic)
            if not extent.begin.get(partition, 0) <= offset < extent.end.get(partition, 0):
                return None
            only = TopicRange({partition: offset}, {partition: offset + 1})
            return next((r for r in topic_records(consumer, topic, only) if r.offset == offset), None)
        finally:
            consumer.close()

    def batch(self) -> list[Result]:
        """Return the batch's documents."""
        with mongodb_client.translate_errors():
            return [result(document) for document in self._batch_collection.find({})]

    def stream(self) -> list[Result]:
        """Return the stream's documents."""
        with mongodb_client.translate_errors():
            return [result(document) for document in self._stream_collection.find({})]

    def stored_images(self) -> Iterator[StoredImage]:
        """Yield all documents of images, with digests instead of their bytes."""
        with mongodb_client.translate_errors():
            yield from map(stored_image, self.image_collection.find({}, batch_size=_BATCH))

    def stored_inferences(self) -> Iterator[StoredInference]:
        """Yield all documents of inferences."""
        with mongodb_client.translate_errors():
            yield from map(stored_inference, self.inference_collection.find({}, batch_size=_BATCH))

    def counts(self) -> dict[str, int]:
        """Return the number of stored images, and of stored inferences of the model."""
        with mongodb_client.translate_errors():
            return {
                "images": self.image_collection.estimated_document_count(),
                "inferences": self.inference_collection.count_documents({"model": self.settings.model}),
            }

    def versions(self) -> dict[str, str]:
        """Return versions and addresses of the servers, the group members and the model."""
        settings = self.settings
        readers = "; ".join(f"{group}: {', '.join(who) or 'nobody'}" for group, who in self.members().items())
        return {
            "database": f"{self.server()} at {', '.join(settings.mongodb.hosts)}",
            "kafka": f"at {', '.join(settings.kafka.bootstrap_servers)}",
            "readers": readers,
            "model": settings.model,
        }
