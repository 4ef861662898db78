"""An IoT producer: reads images of a data set and sends them as records of the topic `images`, each until Kafka acknowledged it.

What is sent is decided by the settings, or by an order (`order-<id>.json` in the state directory: run, count and, if it shall not be the
settings', rate) until that is done.
A run that the ledger calls finished is not sent again, unless it was ordered; then all of it is, and nothing changes downstream.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import math
import os
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from quartet import __version__, contracts, kafka_client, metrics, settings
from quartet.exit_codes import ExitCode, QuartetError
from quartet.kafka_client import Unavailable
from quartet.ledger import RESERVE, Ledger
from quartet.order import Order
from quartet.service import Service
from quartet.settings import ProducerSettings
from quartet.sliced_images import SlicedImages

log = logging.getLogger(__name__)

_IN_FLIGHT: Final = 4_000
_LINGER_MS: Final = 5
_STOP_SECONDS: Final = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet producer`."""
    parser.add_argument("--config", required=True, metavar="FILE", help="settings (JSON)")


def run(arguments: argparse.Namespace) -> int:
    """Run a producer until its run is finished or the process shall stop."""
    chosen = settings.load(ProducerSettings, arguments.config)
    password = settings.password("kafka-password")
    kafka_client.require_crc32c()
    state = Path(os.environ.get("STATE_DIRECTORY", "."))
    service = Service()
    order = Order.read(state, chosen)
    images = SlicedImages(chosen)
    ledger = Ledger(state, chosen.producer_id, order.run, images.binding)
    metrics.serve(chosen.metrics_port)
    metrics.BUILD.labels("producer", __version__, chosen.dataset.kind).set(1)
    if order.count and not order.replay and ledger.finished is not None and ledger.finished >= order.count:
        service.ready(f"run {order.run} is finished: {ledger.finished} images")
        return ExitCode.OK
    service.ready(f"run {order.run}: connecting to Kafka")
    try:
        return Producer(service, chosen, password, images=images, ledger=ledger, order=order).run()
    finally:
        ledger.close()


class Producer:
    """Sends a run."""

    def __init__(
        self, service: Service, chosen: ProducerSettings, password: str, *, images: SlicedImages, ledger: Ledger, order: Order
    ) -> None:
        self._service = service
        self._chosen = chosen
        self._password = password
        self._images = images
        self._ledger = ledger
        self._order = order
        self._client: KafkaProducer | None = None
        self._topic = chosen.topics.images
        # Both are changed by the client's thread; appends and pops of a deque are atomic.
        self._failed: deque[tuple[int, int, BaseException]] = deque()
        self._done = self._begun = 0
        self._status_at, self._status_done = time.monotonic(), 0
        self._acknowledged = metrics.ACKNOWLEDGED.labels(self._topic)

    def run(self) -> ExitCode:
        """Send everything and wait until it is acknowledged.

        Returns:
            OK, or FAILED if the process was stopped before everything that was begun was acknowledged.
        """
        again = self._order.replay and self._ledger.finished is not None and self._ledger.finished >= self._order.count
        self._send_all(0 if again else None)
        code = self._drain()
        if code is ExitCode.OK and not self._service.stopping:
            self._ledger.finish(self._order.count)
            self._order.complete()
            log.info("run %s is finished: %d images acknowledged", self._order.run, self._order.count)
            self._service.status(f"run {self._order.run} is finished: {self._order.count} images", now=True)
        if self._client is not None:
            self._client.close(timeout=kafka_client.CALL_SECONDS)
        return code

    def _send_all(self, replay_from: int | None) -> None:
        """Send what was reserved and not acknowledged, then the rest; or everything from `replay_from` on."""
        count = self._order.count
        reserved = min(self._ledger.high_water, count) if count else self._ledger.high_water
        pace = _Pace(self._order.rate)
        if replay_from is None:
            for sequence in list(self._ledger.unacknowledged(reserved)):
                if self._service.stopping:
                    return
                self._send(sequence, pace)
        sequence = reserved if replay_from is None else replay_from
        step = min(RESERVE, max(1, math.ceil(self._order.rate))) if self._order.rate else RESERVE
        while not self._service.stopping and (count == 0 or sequence < count):
            end = sequence + step if count == 0 else min(sequence + step, count)
            self._ledger.reserve(sequence, [hashlib.sha256(self._images[item][0]).digest() for item in range(sequence, end)])
            for item in range(sequence, end):
                if self._service.stopping:
                    return
                self._send(item, pace)
            sequence = end

    def _send(self, sequence: int, pace: _Pace) -> None:
        while not self._service.stopping and (wait := pace.seconds_left()) > 0:
            self._resend_failed()
            self._report()
            time.sleep(min(wait, 0.2))
        while not self._service.stopping and self._begun - self._done >= _IN_FLIGHT:
            self._resend_failed()
            self._report()
            time.sleep(0.002)
        self._begun += 1
        self._hand_over(sequence, time.time_ns() // 1000)
        pace.sent()
        if self._begun % 256 == 0:
            self._resend_failed()
            self._report()

    def _hand_over(self, sequence: int, captured_at: int) -> None:
        """Give an image to the client; it tells later, on its own thread, whether Kafka took it."""
        payload, label = self._images[sequence]
        image = contracts.Image(self._chosen.producer_id, self._order.run, sequence, label, captured_at, payload)
        key, value, headers = contracts.encode_image(image)
        while not self._service.stopping:
            try:
                client = self._connected()
                with kafka_client.translated():
                    future = client.send(self._topic, value=value, key=key, headers=headers)
                future.add_callback(self._on_acknowledged, sequence)
                future.add_errback(self._on_failed, sequence, captured_at)
                return
            except Unavailable as error:
                metrics.CONNECTED.labels("kafka").set(0)
                self._service.status(f"run {self._order.run}: waiting, nothing is lost: {error}", now=True)
                log.warning("waiting: %s", error)
                self._service.sleep(2.0)
        self._failed.append((sequence, captured_at, InterruptedError("stopped")))

    def _connected(self) -> KafkaProducer:
        if self._client is None:
            self._client = kafka_client.connect_producer(self._chosen.kafka, self._password, linger_ms=_LINGER_MS)
            metrics.CONNECTED.labels("kafka").set(1)
            log.info("connected to Kafka at %s", ",".join(self._chosen.kafka.bootstrap_servers))
        return self._client

    def _on_acknowledged(self, sequence: int, _metadata: Any) -> None:
        self._ledger.acknowledge(sequence)
        self._done += 1
        self._acknowledged.inc()

    def _on_failed(self, sequence: int, captured_at: int, error: BaseException) -> None:
        metrics.FAILED.labels(self._topic).inc()
        self._failed.append((sequence, captured_at, error))

    def _resend_failed(self) -> None:
        """Send again, with the same ids, what failed; with a new client, whose sequence numbers have no gap."""
        if not self._failed or self._service.stopping:
            return
        _, _, error = self._failed[0]
        if isinstance(error, kafka_errors.AuthorizationError | kafka_errors.SaslAuthenticationFailedError):
            raise QuartetError(ExitCode.CREDENTIALS, f"Kafka does not allow it: {type(error).__name__} {error}")
        log.warning("%d sends failed and are tried again: %s", len(self._failed), error)
        if self._client is not None:
            self._client.close(timeout=kafka_client.CALL_SECONDS)
            self._client = None
        self._service.sleep(1.0)
        for _ in range(len(self._failed)):
            sequence, captured_at, _ = self._failed.popleft()
            self._service.alive()
            self._hand_over(sequence, captured_at)

    def _drain(self) -> ExitCode:
        """Wait until everything was acknowledged; at a stop, no longer than the unit's stop allows."""
        end: float | None = None
        if self._client is not None:
            try:
                with kafka_client.translated():
                    self._client.flush(timeout=kafka_client.CALL_SECONDS)
            except Unavailable as error:
                log.warning("not everything is acknowledged yet: %s", error)
        while self._done < self._begun:
            if self._service.stopping:
                end = end or time.monotonic() + _STOP_SECONDS
                if time.monotonic() > end:
                    log.error("stopped with %d images that were not acknowledged; the next start sends them", self._begun - self._done)
                    return ExitCode.FAILED
            self._resend_failed()
            self._report()
            time.sleep(0.01)
        return ExitCode.OK

    def _report(self) -> None:
        self._service.alive()
        moment = time.monotonic()
        if moment - self._status_at < 2:
            return
        rate = (self._done - self._status_done) / (moment - self._status_at)
        self._status_at, self._status_done = moment, self._done
        metrics.IMAGES_PER_SECOND.set(rate)
        self._ledger.sync()
        goal = f" of {self._order.count}" if self._order.count else ""
        self._service.status(
            f"run {self._order.run}: {self._done}{goal} acknowledged, {self._begun - self._done} under way, {rate:.0f}/s", now=True
        )


class _Pace:
    """When the next image is due. `rate`: images a second, 0 = at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._start = time.monotonic()
        self._sent = 0

    def seconds_left(self) -> float:
        return 0.0 if self._rate == 0 else self._start + self._sent / self._rate - time.monotonic()

    def sent(self) -> None:
        self._sent += 1
        if self._rate and self.seconds_left() < -1:
            # after an outage go on at the rate, not faster
            self._start, self._sent = time.monotonic(), 0
