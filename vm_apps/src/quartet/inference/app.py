"""The inference consumer: classifies each image and publishes the prediction."""

from __future__ import annotations

import argparse
import os
from typing import Final

from quartet.inference.strategy import CHUNK, ClassifyStrategy
from quartet.kafka import client as kafka_client
from quartet.kafka import group
from quartet.kafka.group import GroupConsumer
from quartet.runtime import metrics, settings
from quartet.runtime.errors import ExitCode, QuartetError, Unavailable
from quartet.runtime.service import Service
from quartet.worker.loop import Worker

_LINGER_MS: Final = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet inference`."""
    parser.add_argument("--config", required=True, metavar="FILE", help="settings (JSON)")
    parser.add_argument(
        "--accept-loss", action="store_true", help="continue although records were deleted, or a log was cut, and its records lost"
    )


def run(arguments: argparse.Namespace) -> int:
    """Classify images until the process is asked to stop."""
    options = settings.load(settings.InferenceSettings, arguments.config)
    # By default OpenMP's threads spin while they wait for each other: on busy cores one image then takes hundreds of milliseconds
    # instead of ten. torch reads the variable when it is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from quartet.inference.classifier import Classifier  # noqa: PLC0415 (imports torch; the strategy does not need it)

    kafka_client.require_crc32c()
    password = settings.password("kafka-password")
    service = Service()
    service.status("loading the model", now=True)
    model = Classifier(options.model_file, options.model_sha256, options.device, options.dtype, options.threads)
    model.warm_up(min(options.batch_size, CHUNK))
    model.choose_single_image_threads()
    where = f"{model.device_name} ({model.dtype}" + (f", {model.threads} threads)" if model.device == "cpu" else ")")
    topics = options.topics
    name = model.description.model
    metrics.start(
        "inference", options.metrics_port, options.metrics_tls, lambda: service.watchdog_fed_at, detail=f"model {name} on {where}"
    )
    metrics.expect(topics.images, ("skipped", "failed"))
    metrics.resume()
    metrics.MODEL.labels(name).set(1)
    service.ready(f"model {name} on {where}")
    consumer = group.join(
        service,
        lambda: GroupConsumer(
            options.kafka, password, topics.images, options.group, options.group_instance_id, accept_loss=arguments.accept_loss
        ),
    )
    if consumer is None:
        return ExitCode.OK

    def check() -> None:
        check_partitions(
            (topics.images, consumer.partitions_of(topics.images)), (topics.inferences, consumer.partitions_of(topics.inferences))
        )

    strategy = ClassifyStrategy(
        model,
        name,
        topics.inferences,
        lambda: kafka_client.connect_producer(options.kafka, password, linger_ms=_LINGER_MS),
        check=check,
        feed_watchdog=service.feed_watchdog,
        where=where,
    )
    # batch_seconds=0: one poll is one batch, so a single image never waits for more
    return Worker(service, consumer, strategy, batch_size=options.batch_size, batch_seconds=0).run()


def check_partitions(images: tuple[str, int], inferences: tuple[str, int]) -> None:
    """Check that an inference can be sent to its image's partition; each argument is (topic, number of partitions).

    Raises:
        Unavailable: a topic does not exist (yet).
        QuartetError: CONFIGURATION, the numbers of partitions differ.
    """
    for topic, partitions in (images, inferences):
        if partitions == 0:
            raise Unavailable("kafka", f"topic {topic} does not exist")
    if images[1] != inferences[1]:
        message = f"topic {images[0]} has {images[1]} partitions and {inferences[0]} has {inferences[1]}: they must be equal"
        raise QuartetError(ExitCode.CONFIGURATION, message)
