"""`quartet exporter`: poll Kafka and the database, and serve what they said.

A source that does not answer has quartet_exporter_up 0 and none of its other series, because the last values would look like news.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Metric
from prometheus_client.registry import Collector

from quartet.exporter import mongodb_poll, names
from quartet.exporter.agreement import Agreement
from quartet.exporter.counts import Counts, CountsPoll
from quartet.exporter.kafka_poll import STREAM_GROUP, KafkaPoll, KafkaState
from quartet.kafka import client as kafka_client
from quartet.mongodb import client as mongodb_client
from quartet.runtime import metrics, settings
from quartet.runtime.errors import ExitCode, QuartetError, Unavailable
from quartet.runtime.service import Service
from quartet.runtime.settings import ExporterSettings

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
_SOURCES: Final = {"kafka": names.BROKERS, "mongodb": names.MONGODB_UP}


class Exporter(Collector):
    """Polls the sources, and gives what the last poll found to whoever scrapes."""

    def __init__(self, options: ExporterSettings, kafka_password: str, mongodb_password: str) -> None:
        self._options = options
        groups, topics = options.groups, options.topics
        self._kafka = KafkaPoll(
            options.kafka,
            kafka_password,
            (topics.images, topics.inferences, topics.dead_letters),
            {groups.images: topics.images, groups.inference: topics.images, groups.inferences: topics.inferences},
        )
        self._mongodb = mongodb_client.connect(options.mongodb, mongodb_password, app="quartet-exporter")
        self._counts = CountsPoll(self._mongodb, options.collections, options.model)
        self._agreement = Agreement()
        self._stream_offsets: dict[int, int] = {}
        self._polled_at: dict[str, float] = {}
        self._problems: dict[str, str] = {}
        self._families: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the last poll."""
        yield from self._families

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: names are not checked against others', and a scrape polls nothing."""
        return iter(())

    def poll(self, between: Callable[[], None] = lambda: None) -> str:
        """Ask each source once; return a line about it. `between` is called after each source."""
        found: list[Metric] = []
        seconds: dict[str, float] = {}

        def ask(source: str, call: Callable[[], Answer]) -> Answer | None:
            began = time.monotonic()
            answer = self._ask(source, call)
            seconds[source] = time.monotonic() - began
            between()
            return answer

        counts = ask("mongodb", self._poll_mongodb)
        if counts is not None:
            found += counts.families
            self._stream_offsets = dict(counts.stream.offsets)
        topic = self._options.topics.inferences
        kafka = ask("kafka", lambda: self._kafka.poll(self._stream_offsets, topic))
        if kafka is not None:
            found += kafka.families
        if counts is not None and kafka is not None:
            found += self._compare(counts, kafka)
        found += [family.value(0) for source, family in _SOURCES.items() if source in self._problems]
        found.append(names.UP.of(((source,), float(source not in self._problems)) for source in _SOURCES))
        found.append(names.POLLED_AT.of(((source,), moment) for source, moment in self._polled_at.items()))
        found.append(names.POLL_SECONDS.of(((source,), value) for source, value in seconds.items()))
        self._families = found
        return "; ".join(self._problems.values()) or f"{sum(len(family.samples) for family in found)} series"

    def close(self) -> None:
        """Close the connections."""
        self._kafka.close()
        self._mongodb.close()

    def _poll_mongodb(self) -> Counts:
        server = mongodb_poll.poll(self._mongodb)
        counts = self._counts.poll()
        return Counts([*server, *counts.families], counts.stream, counts.batch)

    def _ask(self, source: str, call: Callable[[], Answer]) -> Answer | None:
        """Return the answer of a source, None if it gives none; log when that changes."""
        try:
            answer = call()
        except (Unavailable, QuartetError) as error:
            if source not in self._problems:
                log.warning("%s", error)
            self._problems[source] = str(error)
            metrics.CONNECTED.labels(source).set(0)
            return None
        if self._problems.pop(source, None) is not None:
            log.info("%s answers again", source)
        self._polled_at[source] = time.time()
        metrics.CONNECTED.labels(source).set(1)
        return answer

    def _compare(self, counts: Counts, kafka: KafkaState) -> Iterator[Metric]:
        topic = self._options.topics.inferences
        ends = {p.partition: end for p, end in kafka.ends.items() if p.topic == topic}
        drained = kafka.lags[STREAM_GROUP] == kafka.lags[self._options.groups.inferences] == 0
        self._agreement.update(ends, drained, counts.stream, counts.batch)
        if self._agreement.differences is not None:
            yield names.DIFFERENCE.of(((producer,), value) for producer, value in self._agreement.differences.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet exporter`."""
    parser.add_argument("--config", required=True, metavar="FILE", help="settings (JSON)")


def run(arguments: argparse.Namespace, registry: CollectorRegistry = REGISTRY) -> int:
    """Poll and serve until the process is asked to stop."""
    options = settings.load(ExporterSettings, arguments.config)
    exporter = Exporter(options, settings.password("kafka-password"), settings.password("mongodb-password"))
    kafka_client.require_crc32c()
    service = Service()
    registry.register(exporter)
    metrics.start("exporter", options.metrics_port, options.metrics_tls, lambda: service.watchdog_fed_at, registry=registry)
    service.ready("asking Kafka and the database")
    try:
        while not service.stopping:
            began = time.monotonic()
            service.status(exporter.poll(service.feed_watchdog), now=True)
            service.sleep(max(0.0, options.poll_seconds - (time.monotonic() - began)))
    finally:
        exporter.close()
    return ExitCode.OK
