"""The strategy of the inference consumer, with a fake model and a fake producer."""

import json
from dataclasses import dataclass, field

import pytest
from kafka import errors as kafka_errors
from metric_values import growth
from quartet.contracts.image import Image, encode_image
from quartet.contracts.inference import decode_inference
from quartet.inference import app
from quartet.inference.model import Prediction
from quartet.inference.strategy import ClassifyStrategy
from quartet.runtime.errors import ExitCode, QuartetError, Unavailable


@dataclass
class Record:
    key: bytes
    value: bytes
    headers: list
    partition: int = 0
    offset: int = 0
    topic: str = "images"
    timestamp: int = 0


def record(sequence, partition=3, label="cat", producer_id=101):
    image = Image(
        producer_id=producer_id, run="a", sequence=sequence, actual_value=label, captured_at=1000, payload=bytes([sequence % 256]) * 3072
    )
    key, value, headers = encode_image(image)
    return Record(key, value, headers, partition, sequence)


@dataclass
class Future:
    error: Exception | None = None

    def get(self, timeout):
        if self.error:
            raise self.error


@dataclass
class Producer:
    future_error: Exception | None = None
    send_error: Exception | None = None
    sent: list = field(default_factory=list)
    closed: bool = False

    def send(self, topic, key, value, partition):
        if self.send_error:
            raise self.send_error
        self.sent.append((topic, key, json.loads(value), partition))
        return Future(self.future_error)

    def close(self, timeout):
        self.closed = True


class Cat:
    def __init__(self):
        self.batches = []

    def classify_batches(self, batches):
        for images in batches:
            self.batches.append(len(images))
            yield [Prediction("cat", 0.75)] * len(images)


def strategy(producer, **more):
    return ClassifyStrategy(Cat(), "0123456789ab", "inferences", lambda: producer, clock=lambda: 2000, where="here", **more)


def test_an_inference_goes_to_the_partition_of_its_image():
    producer = Producer()
    work = strategy(producer)
    work.process([record(1, 3), record(2, 7, label=None)]).settle()
    (topic, key, body, partition), (_, _, unlabelled, other) = producer.sent
    assert (topic, key, partition, other) == ("inferences", b"101-a-000000000001", 3, 7)
    assert body == {
        "schema": "inference/1",
        "id": "101-a-000000000001",
        "run": "a",
        "sequence": 1,
        "image_prediction": "cat",
        "actual_value": "cat",
        "producer_id": 101,
        "confidence": 0.75,
        "model": "0123456789ab",
        "captured_at": 1000,
        "inferred_at": 2000,
    }
    assert "actual_value" not in unlabelled
    assert decode_inference(key, json.dumps(body).encode()).model == "0123456789ab"


def test_bad_records_are_skipped_and_counted():
    producer = Producer()
    work = strategy(producer)
    bad = record(1)
    bad.value = b"short"
    work.process([bad, record(2)]).settle()
    assert [body["sequence"] for _, _, body, _ in producer.sent] == [2]
    assert work.describe() == "1 classified by 0123456789ab, 1 invalid records skipped on here"
    work.process([bad]).settle()
    assert len(producer.sent) == 1


def test_a_large_batch_is_classified_in_chunks_and_the_watchdog_is_fed_after_each():
    signs = []
    work = strategy(Producer(), feed_watchdog=lambda: signs.append(1))
    work.process([record(i) for i in range(600)])
    assert work._model.batches == [256, 256, 88]
    assert len(signs) == 3


@pytest.mark.parametrize("stage", ["future_error", "send_error"])
def test_a_failed_send_is_unavailable_and_the_next_batch_gets_a_new_producer(stage):
    first, second = Producer(**{stage: kafka_errors.KafkaTimeoutError()}), Producer()
    left = [first, second]
    work = ClassifyStrategy(Cat(), "0123456789ab", "inferences", lambda: left.pop(0))
    with pytest.raises(Unavailable):
        work.process([record(1)]).settle()
    assert first.closed
    work.process([record(1)]).settle()
    assert [body["sequence"] for _, _, body, _ in second.sent] == [1]


def test_acknowledged_inferences_are_counted_by_producer_and_truth():
    labels = {"model": "0123456789ab", "producer_id": "101"}
    right, wrong = (growth("quartet_inferences_total", correct=correct, **labels) for correct in ("true", "false"))
    unlabelled = growth("quartet_inferences_total", correct="unlabelled", model="0123456789ab", producer_id="102")
    work = strategy(Producer())
    records = [record(1), record(2, label="dog"), record(3), record(4, label=None, producer_id=102)]
    pending = work.process(records)
    assert right() == 0
    pending.settle()
    assert (right(), wrong(), unlabelled()) == (2, 1, 1)


def test_a_refusal_by_rights_ends_the_process():
    work = strategy(Producer(future_error=kafka_errors.TopicAuthorizationFailedError()))
    with pytest.raises(QuartetError) as caught:
        work.process([record(1)]).settle()
    assert caught.value.code is ExitCode.CREDENTIALS


def test_the_topics_must_have_as_many_partitions():
    app.check_partitions(("images", 12), ("inferences", 12))
    with pytest.raises(Unavailable, match="inferences does not exist"):
        app.check_partitions(("images", 12), ("inferences", 0))
    with pytest.raises(QuartetError, match="12 partitions and inferences has 6"):
        app.check_partitions(("images", 12), ("inferences", 6))
    with pytest.raises(QuartetError):
        strategy(Producer(), check=lambda: app.check_partitions(("images", 2), ("inferences", 1))).process([record(1)])


def test_closing_closes_the_producer():
    producer = Producer()
    work = strategy(producer)
    work.process([record(1)])
    work.close()
    work.close()
    assert producer.closed
