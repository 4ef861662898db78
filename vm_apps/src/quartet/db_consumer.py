"""The DB consumers: one stores images, one stores inferences, each document once and for ever.

A bulk carries only the lowest offset of an _id: the first record in log order wins. What breaks its contract, what the database refuses
for good, and an id that comes with another image goes to the dead letters, once, with its cause; everything else is written again.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from bson import Binary, Int64

from quartet import __version__, contracts, kafka_client, metrics, mongodb_client, settings
from quartet.contracts import Cause, ContractError
from quartet.dead_letters import DeadLetterWriter
from quartet.document_store import DocumentStore, Written
from quartet.exit_codes import ExitCode, QuartetError
from quartet.kafka_client import Record
from quartet.service import Service
from quartet.settings import DbConsumerSettings
from quartet.worker import Effects, Worker

log = logging.getLogger(__name__)

Refusal = tuple[Record, Cause, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet db-consumer`."""
    parser.add_argument("--config", required=True, metavar="FILE", help="settings (JSON)")
    parser.add_argument("--accept-loss", action="store_true", help="go on where records were deleted before they were read")


def run(arguments: argparse.Namespace) -> int:
    """Store a topic until the process shall stop."""
    chosen = settings.load(DbConsumerSettings, arguments.config)
    kafka_password = settings.password("kafka-password")
    kafka_client.require_crc32c()
    client = mongodb_client.connect(chosen.mongodb, settings.password("mongodb-password"), app=f"quartet-db-consumer-{chosen.stream}")
    service = Service()
    metrics.serve(chosen.metrics_port)
    metrics.BUILD.labels("db-consumer", __version__, chosen.stream).set(1)
    topic = chosen.topics.images if chosen.stream == "images" else chosen.topics.inferences
    service.ready(f"connecting to Kafka to store topic {topic}")
    source = _wait_for_kafka(service, chosen, kafka_password, topic, accept_loss=arguments.accept_loss)
    if source is None:
        return ExitCode.OK
    names = chosen.collections
    if chosen.stream == "images":
        contract: Contract = ImageDocuments()
        store = DocumentStore(client, names.image_database, names.image_collection)
    else:
        contract = InferenceDocuments()
        store = DocumentStore(client, names.results_database, names.inference_collection)
    strategy = Store(
        contract,
        store,
        DeadLetterWriter(
            lambda: kafka_client.connect_producer(chosen.kafka, kafka_password, linger_ms=0),
            chosen.topics.dead_letters,
        ),
        topic_id=lambda: kafka_client.topic_id(chosen.kafka, kafka_password, topic),
        rejections_per_minute=chosen.rejections_per_minute,
    )
    return Worker(service, source, strategy, batch_size=chosen.batch_size, batch_seconds=chosen.batch_seconds).run()


def _wait_for_kafka(
    service: Service, chosen: DbConsumerSettings, password: str, topic: str, *, accept_loss: bool
) -> kafka_client.GroupConsumer | None:
    while not service.stopping:
        try:
            return kafka_client.GroupConsumer(
                chosen.kafka, password, topic, chosen.group, chosen.group_instance_id, accept_loss=accept_loss
            )
        except kafka_client.Unavailable as error:
            metrics.CONNECTED.labels("kafka").set(0)
            service.status(f"waiting, nothing is lost: {error}", now=True)
            log.warning("waiting: %s", error)
            service.sleep(2.0)
    return None


class Contract(Protocol):
    """How a record becomes a document."""

    #: The field that must be equal where the document is there already, if any
    compared: str | None

    def document(self, record: Record, origin: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document of a record.

        Raises:
            ContractError: the record breaks its contract.
        """

    def captured_at(self, document: Mapping[str, Any]) -> int:
        """Return when the image was captured, in microseconds since the epoch, UTC."""


class ImageDocuments:
    """Documents of kafka_db.image."""

    compared: str | None = "payload_sha256"

    def document(self, record: Record, origin: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document of an image."""
        image = contracts.decode_image(record.key, record.value, record.headers)
        label = {} if image.actual_value is None else {"actual_value": image.actual_value}
        return {
            "_id": image.id,
            "image": Binary(image.payload),
            "payload_sha256": image.payload_sha256,
            **label,
            "producer_id": image.producer_id,
            "run": image.run,
            "sequence": Int64(image.sequence),
            "captured_at": Int64(image.captured_at),
            "received_at": Int64(time.time_ns() // 1000),
            "kafka": origin,
        }

    def captured_at(self, document: Mapping[str, Any]) -> int:
        """Return when the image was captured."""
        return int(document["captured_at"])


class InferenceDocuments:
    """Documents of team5_vm3_db.images."""

    # Two inferences of an image by a model may differ in confidence and time; the first one is the one that counts.
    compared: str | None = None

    def document(self, record: Record, origin: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document of an inference."""
        inference = contracts.decode_inference(record.key, record.value)
        label = {} if inference.actual_value is None else {"actual_value": inference.actual_value}
        return {
            "_id": f"{inference.id}/{inference.model}",
            "id": inference.id,
            "image_prediction": inference.image_prediction,
            **label,
            "producer_id": inference.producer_id,
            "confidence": inference.confidence,
            "model": inference.model,
            "captured_at": Int64(inference.captured_at),
            "inferred_at": Int64(inference.inferred_at),
            "kafka": origin,
        }

    def captured_at(self, document: Mapping[str, Any]) -> int:
        """Return when the image was captured."""
        return int(document["captured_at"])


class Documents(Protocol):
    """Where documents go (quartet.document_store.DocumentStore)."""

    def add_missing(self, documents: Sequence[Mapping[str, Any]]) -> Written:
        """Add the documents whose _id is not there."""

    def values(self, ids: Sequence[str], field: str) -> dict[str, Any]:
        """Return a field of the documents with these ids."""


class Store:
    """The worker's strategy: one bulk a batch, refusals to the dead letters."""

    def __init__(
        self,
        contract: Contract,
        documents: Documents,
        dead_letters: DeadLetterWriter,
        *,
        topic_id: Callable[[], str],
        rejections_per_minute: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._contract = contract
        self._documents = documents
        self._dead_letters = dead_letters
        self._find_topic_id = topic_id
        self._topic_id: str | None = None
        self._most_rejections = rejections_per_minute
        self._rejections: deque[float] = deque()
        self._clock = clock
        self._stored = self._duplicates = self._refused = 0

    def process(self, records: Sequence[Record]) -> Effects:
        """Store a batch, and begin to write its refusals to the dead letters.

        Raises:
            Unavailable: a server is away; nothing of the batch is committed.
            QuartetError: REJECTED, the database refuses too much; nothing of the batch is committed.
        """
        if self._topic_id is None:
            self._topic_id = self._find_topic_id()
        first, refusals, repeated = self._decode(records)
        if first:
            refusals += self._write(first, repeated)
        metrics.CONNECTED.labels("mongodb").set(1)
        self._refused += len(refusals)
        for record, cause, detail in refusals:
            log.warning(
                "refused %s/%d/%d: %s: %s",
                *(record.topic, record.partition, record.offset, cause, detail),
                extra={"fields": {"cause": cause, "topic": record.topic, "partition": record.partition, "offset": record.offset}},
            )
        return self._dead_letters.write(refusals)

    def describe(self) -> str:
        """Return what was done so far."""
        return f"{self._stored} stored, {self._duplicates} were there already, {self._refused} refused"

    def close(self) -> None:
        """Close the producer of dead letters."""
        self._dead_letters.close()

    def _decode(
        self, records: Sequence[Record]
    ) -> tuple[dict[str, tuple[Record, dict[str, Any]]], list[Refusal], list[tuple[Record, dict[str, Any]]]]:
        """Return the first record of each _id, refusals, and the later records of an _id in this batch."""
        first: dict[str, tuple[Record, dict[str, Any]]] = {}
        refusals: list[Refusal] = []
        repeated: list[tuple[Record, dict[str, Any]]] = []
        for record in sorted(records, key=lambda item: (item.partition, item.offset)):
            origin = {
                "topic": record.topic,
                "topic_id": self._topic_id,
                "partition": record.partition,
                "offset": Int64(record.offset),
            }
            try:
                document = self._contract.document(record, origin)
            except ContractError as error:
                refusals.append((record, error.cause, error.detail))
                continue
            if document["_id"] in first:
                repeated.append((record, document))
            else:
                first[document["_id"]] = (record, document)
        return first, refusals, repeated

    def _write(
        self, first: Mapping[str, tuple[Record, dict[str, Any]]], repeated: Sequence[tuple[Record, dict[str, Any]]]
    ) -> list[Refusal]:
        rows = list(first.values())
        written = self._documents.add_missing([document for _, document in rows])
        self._limit_rejections(written.refused)
        refusals: list[Refusal] = [(rows[at][0], Cause.DATABASE_REJECTED, reason) for at, reason in written.refused.items()]
        there = [rows[at] for at in sorted(written.present)] + list(repeated)
        refusals += self._conflicts(there)
        self._stored += len(written.added)
        self._duplicates += len(there)
        metrics.STORED.inc(len(written.added))
        metrics.DUPLICATE.inc(len(there))
        now = time.time_ns() // 1000
        for at in written.added:
            metrics.END_TO_END.observe(max(0, now - self._contract.captured_at(rows[at][1])) / 1_000_000)
        return refusals

    def _conflicts(self, there: Sequence[tuple[Record, dict[str, Any]]]) -> list[Refusal]:
        """Return the records whose id came before with another image."""
        compared = self._contract.compared
        if compared is None or not there:
            return []
        stored = self._documents.values(sorted({document["_id"] for _, document in there}), compared)
        return [
            (record, Cause.ID_CONFLICT, f"{document['_id']} is stored with another {compared}: {stored[document['_id']]}")
            for record, document in there
            if document["_id"] in stored and stored[document["_id"]] != document[compared]
        ]

    def _limit_rejections(self, refused: Mapping[int, str]) -> None:
        moment = self._clock()
        self._rejections.extend(moment for _ in refused)
        while self._rejections and self._rejections[0] < moment - 60:
            self._rejections.popleft()
        if len(self._rejections) > self._most_rejections:
            reason = next(iter(refused.values()), "")
            message = (
                f"the database refused {len(self._rejections)} documents within a minute (the limit is {self._most_rejections}), "
                f"the last with: {reason}. "
                "Nothing of this batch was committed; compare the collection's validator with this release"
            )
            raise QuartetError(ExitCode.REJECTED, message)
