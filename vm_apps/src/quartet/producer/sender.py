"""Sends a run: each image when it is due, and again with the same id if that failed, until Kafka has acknowledged it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any, Final

from quartet.contracts.image import Image, encode_image
from quartet.kafka.outbox import Outbox
from quartet.producer.ledger import Ledger
from quartet.producer.order import Order
from quartet.producer.pace import Pace
from quartet.producer.slices import SlicedImages
from quartet.runtime import metrics
from quartet.runtime.errors import ExitCode, Unavailable
from quartet.runtime.service import Service
from quartet.runtime.settings import ProducerSettings

log = logging.getLogger(__name__)

_MAX_IN_FLIGHT: Final = 4_000
# Sequences are reserved in steps, to avoid an fsync of the ledger per image. The first steps are small, because the images of a step are
# read before the first of them is sent; each further step is twice as large.
_FIRST_STEP: Final = 500
_LARGEST_STEP: Final = 8_000
_STOP_SECONDS: Final = 15.0
_WAIT_SECONDS: Final = 0.2
_STATUS_SECONDS: Final = 2.0
_WATCHDOG_SECONDS: Final = 0.5
_SILENT_SECONDS: Final = 4.0
# Longer than the delivery timeout of a send (60 s)
_STUCK_SECONDS: Final = 75.0


class _Counters:
    """The metrics of one producer, from 0 on."""

    def __init__(self, producer_id: int) -> None:
        self.sent = metrics.SENT.labels(producer_id)
        self.acknowledged = metrics.ACKNOWLEDGED_IMAGES.labels(producer_id)
        self.failed = metrics.FAILED_IMAGES.labels(producer_id)


class Producer:
    """Sends a run. `connect` returns a client (kafka-python's KafkaProducer); `images` returns payload and label of a sequence."""

    def __init__(
        self, service: Service, chosen: ProducerSettings, connect: Callable[[], Any], *, images: SlicedImages, ledger: Ledger, order: Order
    ) -> None:
        self._service = service
        self._chosen = chosen
        self._images = images
        self._ledger = ledger
        self._order = order
        self._outbox = Outbox(chosen.topics.images, connect)
        self._counters = _Counters(chosen.producer_id)
        self._pace = Pace(order.rate)
        self._sent = self._done = self._done_at_status = 0
        self._status_at = self._watchdog_fed_at = self._progress_at = time.monotonic()
        self._silent = False

    def run(self) -> ExitCode:
        """Send the run and wait until it is acknowledged.

        Returns:
            OK, or FAILED if the process was stopped before everything that was sent was acknowledged.
        """
        # Connect before the first image is captured, so that its capture time does not include the wait for Kafka.
        self._retry_until_available(self._outbox.open)
        again = self._order.replay and self._ledger.finished is not None and self._ledger.finished >= self._order.count
        self._send_all(0 if again else None)
        code = self._drain()
        if code is ExitCode.OK and not self._service.stopping:
            self._ledger.finish(self._order.count)
            self._order.complete()
            log.info("run %s is finished: %d images acknowledged", self._order.run, self._order.count)
            self._service.status(f"run {self._order.run} is finished: {self._order.count} images", now=True)
        self._outbox.close()
        return code

    def _send_all(self, replay_from: int | None) -> None:
        """Send the reserved but unacknowledged images, then the rest; with `replay_from`, all images from that sequence on."""
        count = self._order.count
        reserved = min(self._ledger.high_water, count) if count else self._ledger.high_water
        if replay_from is None:
            for sequence in list(self._ledger.unacknowledged(reserved)):
                self._send(sequence)
        sequence = reserved if replay_from is None else replay_from
        step = min(_LARGEST_STEP, math.ceil(self._order.rate)) or _FIRST_STEP
        while not self._service.stopping and (count == 0 or sequence < count):
            end = sequence + step if count == 0 else min(sequence + step, count)
            self._ledger.reserve(sequence, self._digests(sequence, end))
            for item in range(sequence, end):
                self._send(item)
            sequence = end
            if not self._order.rate:
                step = min(_LARGEST_STEP, 2 * step)

    def _digests(self, first: int, end: int) -> list[bytes]:
        """Return the digests of images. Reading and distorting them may take long, so the watchdog is fed meanwhile."""
        digests = []
        for sequence in range(first, end):
            digests.append(self._images.sha256(sequence))
            if sequence % 64 == 0:
                self._poll_acknowledgements()
        return digests

    def _send(self, sequence: int) -> None:
        """Send an image when it is due; do nothing if the process is asked to stop."""
        while not self._service.stopping and (wait := self._pace.seconds_left()) > 0:
            self._poll_acknowledgements()
            time.sleep(min(wait, _WAIT_SECONDS))
        while not self._service.stopping and self._outbox.in_flight >= _MAX_IN_FLIGHT:
            self._outbox.wait(_WAIT_SECONDS)
            self._poll_acknowledgements()
        if self._service.stopping:
            return
        payload, label = self._images[sequence]
        image = Image(
            producer_id=self._chosen.producer_id,
            run=self._order.run,
            sequence=sequence,
            actual_value=label,
            captured_at=time.time_ns() // 1000,
            payload=payload,
        )
        record = encode_image(image)
        if not self._outbox.in_flight:
            self._progress_at = time.monotonic()
        if not self._retry_until_available(lambda: self._outbox.send(sequence, record)):
            return
        self._pace.sent()
        self._sent += 1
        self._counters.sent.inc()
        if self._sent % 256 == 0:
            self._poll_acknowledgements()

    def _retry_until_available(self, action: Callable[[], None]) -> bool:
        """Retry an action until Kafka is available or the process is asked to stop; return whether it succeeded."""
        try:
            action()
        except Unavailable as error:
            return self._wait_for_kafka(error, action)
        return True

    def _wait_for_kafka(self, error: Unavailable, action: Callable[[], None]) -> bool:
        begin = self._progress_at
        while not self._service.stopping:
            # A new client gets the full time for its first acknowledgement.
            self._progress_at = time.monotonic()
            metrics.CONNECTED.labels("kafka").set(0)
            metrics.SILENT.set(self._progress_at - begin)
            self._service.status(f"run {self._order.run}: waiting, nothing is lost: {error}", now=True)
            log.warning("waiting: %s", error)
            self._service.sleep(2.0)
            try:
                action()
            except Unavailable as another:
                error = another
            else:
                return True
        return False

    def _poll_acknowledgements(self) -> None:
        """Process acknowledgements and failures, recover if needed, and report the progress."""
        self._collect()
        self._report()
        stuck = self._outbox.in_flight and time.monotonic() - self._progress_at > _STUCK_SECONDS
        if (self._outbox.failed or stuck) and not self._service.stopping:
            self._recover()

    def _collect(self) -> None:
        acknowledged = self._outbox.collect_acknowledged()
        if acknowledged:
            self._ledger.acknowledge(acknowledged)
            self._done += len(acknowledged)
            self._progress_at = time.monotonic()
            self._counters.acknowledged.inc(len(acknowledged))

    def _recover(self) -> None:
        """Send the failed images again, with the same ids."""
        self._counters.failed.inc(self._outbox.failed)
        self._outbox.discard_client()
        log.warning("%d images are sent again by a new client: %s", self._outbox.failed, self._outbox.error or "nothing was acknowledged")
        self._service.sleep(1.0)
        self._progress_at = time.monotonic()
        while self._outbox.failed and not self._service.stopping:
            if self._retry_until_available(self._outbox.resend_first_failed):
                self._counters.sent.inc()
            self._report()

    def _drain(self) -> ExitCode:
        """Wait until everything that was sent is acknowledged; after a stop signal, for 15 s at most."""
        end: float | None = None
        while left := self._outbox.in_flight + self._outbox.failed:
            if self._service.stopping:
                end = end or time.monotonic() + _STOP_SECONDS
                if time.monotonic() > end or not self._outbox.in_flight:
                    log.error("stopped with %d images that were not acknowledged; the next start sends them", left)
                    return ExitCode.FAILED
            self._outbox.wait(_WAIT_SECONDS)
            self._poll_acknowledgements()
        return ExitCode.OK

    def _report(self) -> None:
        """Feed the watchdog and, every 2 s, sync the ledger and update status line and metrics."""
        moment = time.monotonic()
        if moment - self._watchdog_fed_at >= _WATCHDOG_SECONDS:
            self._watchdog_fed_at = moment
            self._service.feed_watchdog()
        if moment - self._status_at < _STATUS_SECONDS:
            return
        rate = (self._done - self._done_at_status) / (moment - self._status_at)
        self._status_at, self._done_at_status = moment, self._done
        metrics.IMAGES_PER_SECOND.set(rate)
        self._ledger.sync()
        waiting = self._outbox.in_flight + self._outbox.failed
        if self._is_silent(moment - self._progress_at if waiting else 0.0):
            state = (
                f"silent, nothing is lost: Kafka at {','.join(self._chosen.kafka.bootstrap_servers)} has acknowledged nothing "
                f"for {moment - self._progress_at:.0f} s, {waiting} images wait"
            )
        else:
            goal = f" of {self._order.count}" if self._order.count else ""
            state = f"{self._done}{goal} acknowledged, {waiting} in flight, {rate:.0f}/s"
        self._service.status(f"run {self._order.run}: {state}", now=True)

    def _is_silent(self, seconds: float) -> bool:
        """Return whether Kafka has acknowledged nothing for too long; update the metrics, and log when that changes."""
        metrics.SILENT.set(seconds)
        silent = seconds >= _SILENT_SECONDS
        if silent != self._silent:
            self._silent = silent
            metrics.CONNECTED.labels("kafka").set(0 if silent else 1)
            log.warning("Kafka acknowledges nothing") if silent else log.info("Kafka acknowledges again")
        return silent
