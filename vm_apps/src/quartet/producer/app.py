"""A producer: reads images from a data set and sends them to the topic `images`, each until Kafka has acknowledged it.

What to send comes from the settings or from an order (`order-<id>.json` in the state directory: run, count and optionally rate) until the
order is done. A run that the ledger records as finished is not sent again unless it is ordered; then all of it is sent again, which is
idempotent downstream.
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import Any, Final

from kafka import errors as kafka_errors

from quartet.kafka import client as kafka_client
from quartet.producer.ledger import Ledger
from quartet.producer.order import Order
from quartet.producer.sender import Producer
from quartet.producer.slices import SlicedImages
from quartet.runtime import metrics, settings
from quartet.runtime.errors import ExitCode
from quartet.runtime.service import Service
from quartet.runtime.settings import ProducerSettings

log = logging.getLogger(__name__)

# Without a rate limit it pays to wait for full batches; with one, each image is sent at once.
_LINGER_MS: Final = 50
_PACED_LINGER_MS: Final = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet producer`."""
    parser.add_argument("--config", required=True, metavar="FILE", help="settings (JSON)")


def run(arguments: argparse.Namespace) -> int:
    """Run a producer until its run is finished or the process is asked to stop."""
    chosen = settings.load(ProducerSettings, arguments.config)
    password = settings.password("kafka-password")
    kafka_client.require_crc32c()
    state = Path(os.environ.get("STATE_DIRECTORY", "."))
    service = Service()
    order = Order.read(state, chosen)
    images = SlicedImages(chosen)
    ledger = Ledger(state, chosen.producer_id, order.run, images.binding)
    metrics.start(
        "producer", chosen.metrics_port, chosen.metrics_tls, lambda: service.watchdog_fed_at, detail=f"data set {chosen.dataset.kind}"
    )
    if order.count and not order.replay and ledger.finished is not None and ledger.finished >= order.count:
        service.ready(f"run {order.run} is finished: {ledger.finished} images")
        return ExitCode.OK
    service.ready(f"run {order.run}: connecting to Kafka")

    def connect() -> Any:
        client = kafka_client.connect_producer(chosen.kafka, password, linger_ms=_PACED_LINGER_MS if order.rate else _LINGER_MS)
        try:
            # Fetch the topic's metadata now, so that the first record does not wait for it.
            client.partitions_for(chosen.topics.images)
        except kafka_errors.KafkaError:
            client.close(timeout=1)
            raise
        metrics.CONNECTED.labels("kafka").set(1)
        log.info("connected to Kafka at %s", ",".join(chosen.kafka.bootstrap_servers))
        return client

    try:
        return Producer(service, chosen, connect, images=images, ledger=ledger, order=order).run()
    finally:
        ledger.close()
