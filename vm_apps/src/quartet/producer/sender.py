"""Sends a run: each image at its turn, again with the same id where that failed, until Kafka has acknowledged it."""

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

_IN_FLIGHT: Final = 4_000
# Sequences are reserved in steps, so that the ledger's mark is not synced for each image: small ones first, since a step's images are
# read before the first of them is sent, then twice as many each time.
_FIRST_STEP: Final = 500
_LARGEST_STEP: Final = 8_000
_STOP_SECONDS: Final = 15.0
_WAIT_SECONDS: Final = 0.2
_STATUS_SECONDS: Final = 2.0
_ALIVE_SECONDS: Final = 0.5
_SILENT_SECONDS: Final = 4.0
# Longer than the time after which a send fails
_STUCK_SECONDS: Final = 75.0


class Producer:
    """Sends a run. `connect` returns a client (kafka-python's KafkaProducer); `images` gives payload and label of a sequence."""

    def __init__(
        self, service: Service, chosen: ProducerSettings, connect: Callable[[], Any], *, images: SlicedImages, ledger: Ledger, order: Order
    ) -> None:
        self._service = service
        self._chosen = chosen
        self._images = images
        self._ledger = ledger
        self._order = order
        self._topic = chosen.topics.images
        self._outbox = Outbox(self._topic, connect)
        self._pace = Pace(order.rate)
        self._sent = self._done = self._done_at_status = 0
        self._status_at = self._alive_at = self._progress_at = time.monotonic()
        self._silent = False

    def run(self) -> ExitCode:
        """Send everything and wait until it is acknowledged.

        Returns:
            OK, or FAILED if the process was stopped before everything that was sent was acknowledged.
        """
        # Before the first image is taken: it would be old by the time of a connection.
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
        """Send what was reserved and not acknowledged, then the rest; or everything from `replay_from` on."""
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
        """Return the digests of images; to read and spoil large ones takes its time, so the watchdog is fed meanwhile."""
        digests = []
        for sequence in range(first, end):
            digests.append(self._images.sha256(sequence))
            if sequence % 64 == 0:
                self._poll_acknowledgements()
        return digests

    def _send(self, sequence: int) -> None:
        """Send an image when it is its turn; not at all when the process shall stop."""
        while not self._service.stopping and (wait := self._pace.seconds_left()) > 0:
            self._poll_acknowledgements()
            time.sleep(min(wait, _WAIT_SECONDS))
        while not self._service.stopping and self._outbox.under_way >= _IN_FLIGHT:
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
        if not self._outbox.under_way:
            self._progress_at = time.monotonic()
        if not self._retry_until_available(lambda: self._outbox.send(sequence, record)):
            return
        self._pace.sent()
        self._sent += 1
        if self._sent % 256 == 0:
            self._poll_acknowledgements()

    def _retry_until_available(self, action: Callable[[], None]) -> bool:
        """Do what needs Kafka, again and again until it is done or the process shall stop; return whether it was done."""
        try:
            action()
        except Unavailable as error:
            return self._wait_for_kafka(error, action)
        return True

    def _wait_for_kafka(self, error: Unavailable, action: Callable[[], None]) -> bool:
        begin = self._progress_at
        while not self._service.stopping:
            # The client that comes at last has its own time to acknowledge something.
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
        """Take note of what was acknowledged and what failed, and say how it goes."""
        self._collect()
        self._report()
        stuck = self._outbox.under_way and time.monotonic() - self._progress_at > _STUCK_SECONDS
        if (self._outbox.failed or stuck) and not self._service.stopping:
            self._recover()

    def _collect(self) -> None:
        acknowledged = self._outbox.collect()
        if acknowledged:
            self._ledger.acknowledge(acknowledged)
            self._done += len(acknowledged)
            self._progress_at = time.monotonic()
            metrics.ACKNOWLEDGED.labels(self._topic).inc(len(acknowledged))

    def _recover(self) -> None:
        """Send again, with the same ids, what failed."""
        metrics.FAILED.labels(self._topic).inc(self._outbox.failed)
        self._outbox.start_over()
        log.warning("%d images are sent again by a new client: %s", self._outbox.failed, self._outbox.error or "nothing was acknowledged")
        self._service.sleep(1.0)
        self._progress_at = time.monotonic()
        while self._outbox.failed and not self._service.stopping:
            self._retry_until_available(self._outbox.send_failed)
            self._report()

    def _drain(self) -> ExitCode:
        """Wait until everything that was sent is acknowledged; at a stop, no longer than the unit's stop allows."""
        end: float | None = None
        while left := self._outbox.under_way + self._outbox.failed:
            if self._service.stopping:
                end = end or time.monotonic() + _STOP_SECONDS
                if time.monotonic() > end or not self._outbox.under_way:
                    log.error("stopped with %d images that were not acknowledged; the next start sends them", left)
                    return ExitCode.FAILED
            self._outbox.wait(_WAIT_SECONDS)
            self._poll_acknowledgements()
        return ExitCode.OK

    def _report(self) -> None:
        """Feed the watchdog and, every 2 s, write the acknowledgements down and show how it goes."""
        moment = time.monotonic()
        if moment - self._alive_at >= _ALIVE_SECONDS:
            self._alive_at = moment
            self._service.alive()
        if moment - self._status_at < _STATUS_SECONDS:
            return
        rate = (self._done - self._done_at_status) / (moment - self._status_at)
        self._status_at, self._done_at_status = moment, self._done
        metrics.IMAGES_PER_SECOND.set(rate)
        self._ledger.sync()
        waiting = self._outbox.under_way + self._outbox.failed
        if self._is_silent(moment - self._progress_at if waiting else 0.0):
            state = (
                f"silent, nothing is lost: Kafka at {','.join(self._chosen.kafka.bootstrap_servers)} has acknowledged nothing "
                f"for {moment - self._progress_at:.0f} s, {waiting} images wait"
            )
        else:
            goal = f" of {self._order.count}" if self._order.count else ""
            state = f"{self._done}{goal} acknowledged, {waiting} under way, {rate:.0f}/s"
        self._service.status(f"run {self._order.run}: {state}", now=True)

    def _is_silent(self, seconds: float) -> bool:
        """Say whether Kafka has acknowledged nothing for too long, and tell the metrics; the journal only when it changes."""
        metrics.SILENT.set(seconds)
        silent = seconds >= _SILENT_SECONDS
        if silent != self._silent:
            self._silent = silent
            metrics.CONNECTED.labels("kafka").set(0 if silent else 1)
            log.warning("Kafka acknowledges nothing") if silent else log.info("Kafka acknowledges again")
        return silent
