"""The private attributes that quartet.kafka.internals uses exist in the installed kafka-python."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, __version__
from kafka import errors as kafka_errors
from quartet.kafka import internals

# With a fixed api_version the client needs no broker.
NOWHERE = {"bootstrap_servers": "127.0.0.1:1", "api_version": (3, 9)}


@pytest.fixture
def consumer() -> Iterator[KafkaConsumer]:
    made = KafkaConsumer(**NOWHERE)
    yield made
    made.close()


@pytest.fixture
def producer() -> Iterator[KafkaProducer]:
    made = KafkaProducer(**NOWHERE)
    yield made
    made.close(timeout=0)


def test_kafka_python_has_not_moved_them(consumer: KafkaConsumer, producer: KafkaProducer) -> None:
    for client, paths in ((consumer, internals.CONSUMER_ATTRIBUTES), (producer, internals.PRODUCER_ATTRIBUTES)):
        for path in paths:
            try:
                attrgetter(path)(client)
            except AttributeError as error:
                pytest.fail(f"kafka-python {__version__}: {type(client).__name__} has no {path} ({error}); see quartet/kafka/internals.py")


def test_every_private_attribute_in_use_is_listed() -> None:
    text = Path(internals.__file__).read_text()
    listed = {path.split(".")[0] for path in (*internals.CONSUMER_ATTRIBUTES, *internals.PRODUCER_ATTRIBUTES)}
    assert set(re.findall(r"(?:consumer|producer)\.(_\w+)", text)) == listed
    for file in ("client", "group", "outbox", "dead_letters"):
        assert not re.search(r"client\._|consumer\._|producer\._", Path(internals.__file__).with_name(f"{file}.py").read_text()), file


def test_the_question_for_a_topic_ends_in_time_where_no_broker_answers(consumer: KafkaConsumer) -> None:
    before = consumer._cluster.need_all_topic_metadata
    begin = time.monotonic()
    with pytest.raises(kafka_errors.KafkaTimeoutError):
        internals.partitions_of_topic(consumer, "images", 0.2)
    assert time.monotonic() - begin < 5
    assert consumer._cluster.need_all_topic_metadata == before


def test_a_producer_that_is_forced_closes(producer: KafkaProducer) -> None:
    internals.force_close(producer)
    producer._sender.join(timeout=10)
    assert not producer._sender.is_alive()
