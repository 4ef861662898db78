"""The DB consumers: one stores images, one stores inferences."""

from __future__ import annotations

import argparse

from quartet.contracts.causes import Cause
from quartet.db_consumer.documents import Contract, ImageDocuments, InferenceDocuments
from quartet.db_consumer.store import StoreStrategy
from quartet.kafka import client as kafka_client
from quartet.kafka import group
from quartet.kafka.dead_letters import DeadLetterWriter
from quartet.kafka.group import GroupConsumer
from quartet.mongodb import client as mongodb_client
from quartet.mongodb.document_store import DocumentStore
from quartet.runtime import metrics, settings
from quartet.runtime.errors import ExitCode
from quartet.runtime.service import Service
from quartet.runtime.settings import DbConsumerSettings
from quartet.worker.loop import Worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet db-consumer`."""
    parser.add_argument("--config", required=True, metavar="FILE", help="settings (JSON)")
    parser.add_argument(
        "--accept-loss", action="store_true", help="continue although records were deleted, or a log was cut, and its records lost"
    )


def run(arguments: argparse.Namespace) -> int:
    """Store a topic until the process is asked to stop."""
    chosen = settings.load(DbConsumerSettings, arguments.config)
    kafka_password = settings.password("kafka-password")
    kafka_client.require_crc32c()
    client = mongodb_client.connect(chosen.mongodb, settings.password("mongodb-password"), app=f"quartet-db-consumer-{chosen.stream}")
    service = Service()
    topic = chosen.topics.images if chosen.stream == "images" else chosen.topics.inferences
    metrics.start(
        f"db_consumer_{chosen.stream}", chosen.metrics_port, chosen.metrics_tls, lambda: service.watchdog_fed_at, detail=f"topic {topic}"
    )
    metrics.expect(topic, ("stored", "duplicate", "dead_lettered", "failed"), (cause.value for cause in Cause))
    metrics.resume()
    service.ready(f"connecting to Kafka to store topic {topic}")
    source = group.join(
        service,
        lambda: GroupConsumer(
            chosen.kafka, kafka_password, topic, chosen.group, chosen.group_instance_id, accept_loss=arguments.accept_loss
        ),
    )
    if source is None:
        return ExitCode.OK
    names = chosen.collections
    if chosen.stream == "images":
        contract: Contract = ImageDocuments()
        store = DocumentStore(client, names.image_database, names.image_collection)
    else:
        contract = InferenceDocuments()
        store = DocumentStore(client, names.results_database, names.inference_collection)
    strategy = StoreStrategy(
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
