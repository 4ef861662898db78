"""How the inference consumer processes a batch: each image is classified, and the prediction is published to the image's partition.

Invalid records are skipped and counted; the DB consumer writes them to the dead letters. A retried batch is published again: duplicates
are harmless, because only the first record of an id and model counts.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from kafka import errors as kafka_errors

from quartet.contracts.causes import ContractError
from quartet.contracts.image import Image, decode_image
from quartet.contracts.inference import Inference, encode_inference
from quartet.inference.model import Prediction
from quartet.kafka import client as kafka_client
from quartet.runtime import metrics
from quartet.runtime.errors import CALL_SECONDS, Unavailable
from quartet.runtime.records import Record

log = logging.getLogger(__name__)

#: Images classified between two feeds of the watchdog; the slowest CPU needs a few seconds for them.
CHUNK: Final = 256


class Model(Protocol):
    """The classifier (quartet.inference.classifier.Classifier)."""

    def classify_batches(self, batches: Iterable[Sequence[bytes]]) -> Iterator[list[Prediction]]:
        """Yield the predictions of each batch of images of 3,072 bytes."""


class PendingInferences:
    """The inferences of a batch that Kafka has not yet acknowledged."""

    def __init__(self, futures: Sequence[Any], sent: Sequence[Inference], topic: str, failed: Callable[[], None]) -> None:
        self._futures = futures
        self._sent = sent
        self._topic = topic
        self._failed = failed

    def settle(self) -> None:
        """Wait until Kafka has acknowledged all of them.

        Raises:
            Unavailable: one was not acknowledged in time; all are sent again.
        """
        end = time.monotonic() + CALL_SECONDS
        try:
            with kafka_client.translate_errors():
                for future in self._futures:
                    future.get(timeout=max(0.001, end - time.monotonic()))
        except Unavailable:
            self._failed()
            raise
        metrics.ACKNOWLEDGED.labels(self._topic).inc(len(self._futures))
        now = time.time_ns() // 1000
        for inference in self._sent:
            metrics.END_TO_END.observe(max(0, now - inference.captured_at) / 1_000_000)
        for labels, number in Counter((item.model, item.producer_id, _correct(item)) for item in self._sent).items():
            metrics.INFERENCES.labels(*labels).inc(number)


class ClassifyStrategy:
    """The worker's strategy: decode, classify, send."""

    def __init__(
        self,
        model: Model,
        name: str,
        topic: str,
        connect: Callable[[], Any],
        *,
        check: Callable[[], None] = lambda: None,
        feed_watchdog: Callable[[], None] = lambda: None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
        where: str = "",
    ) -> None:
        self._model = model
        self._name = name
        self._topic = topic
        self._connect = connect
        self._check = check
        self._feed_watchdog = feed_watchdog
        self._clock = clock
        self._where = where
        self._producer: Any = None
        self._classified = self._skipped = 0

    def process(self, records: Sequence[Record]) -> PendingInferences:
        """Classify a batch and start sending the predictions.

        Raises:
            Unavailable: Kafka does not answer.
            QuartetError: the topics have different numbers of partitions.
        """
        if self._producer is None:
            self._check()
            self._producer = self._connect()
        good = self._decode(records)
        futures: list[Any] = []
        sent: list[Inference] = []
        chunks = [good[start : start + CHUNK] for start in range(0, len(good), CHUNK)]
        payloads = ([image.payload for image, _ in chunk] for chunk in chunks)
        for chunk, predictions in zip(chunks, self._model.classify_batches(payloads), strict=True):
            inferred_at = self._clock()
            inferences = [
                self._inference(image, prediction, inferred_at) for (image, _), prediction in zip(chunk, predictions, strict=True)
            ]
            futures += self._send(chunk, inferences)
            sent += inferences
            self._feed_watchdog()
        self._classified += len(good)
        return PendingInferences(futures, sent, self._topic, self._drop_producer)

    def describe(self) -> str:
        """Return the progress so far."""
        skipped = f", {self._skipped} invalid records skipped" if self._skipped else ""
        return f"{self._classified} classified by {self._name}{skipped} on {self._where}"

    def close(self) -> None:
        """Close the producer; settled inferences are in Kafka."""
        self._drop_producer()

    def _decode(self, records: Sequence[Record]) -> list[tuple[Image, int]]:
        good = []
        for record in records:
            try:
                good.append((decode_image(record.key, record.value, record.headers), record.partition))
            except ContractError as error:
                self._skipped += 1
                metrics.SKIPPED.labels(error.cause.value).inc()
                metrics.RECORDS.labels(metrics.app(), record.topic, "skipped").inc()
        return good

    def _send(self, images: Sequence[tuple[Image, int]], inferences: Sequence[Inference]) -> list[Any]:
        futures = []
        try:
            with kafka_client.translate_errors():
                for (_, partition), inference in zip(images, inferences, strict=True):
                    key, value = encode_inference(inference)
                    futures.append(self._producer.send(self._topic, key=key, value=value, partition=partition))
        except Unavailable:
            self._drop_producer()
            raise
        return futures

    def _inference(self, image: Image, prediction: Prediction, inferred_at: int) -> Inference:
        return Inference(
            id=image.id,
            run=image.run,
            sequence=image.sequence,
            image_prediction=prediction.label,
            actual_value=image.actual_value,
            producer_id=image.producer_id,
            confidence=round(min(1.0, prediction.confidence), 6),
            model=self._name,
            captured_at=image.captured_at,
            inferred_at=inferred_at,
        )

    def _drop_producer(self) -> None:
        # After a failed record an idempotent producer may refuse the next ones, so a new one is opened.
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.close(timeout=1)
            except kafka_errors.KafkaError as error:
                log.debug("closing the producer: %s", error)


def _correct(inference: Inference) -> str:
    """Return the label `correct` of an inference."""
    if inference.actual_value is None:
        return "unlabelled"
    return "true" if inference.image_prediction == inference.actual_value else "false"
