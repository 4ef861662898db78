"""Reads a topic from its first offset to the end it had at the start of reading."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from quartet.audit.evidence import TopicRange
from quartet.kafka import client as kafka_client
from quartet.runtime.errors import ExitCode, QuartetError, Unavailable

_POLL_SECONDS = 1.0
_SILENCE_SECONDS = 30.0


def topic_range(consumer: KafkaConsumer, topic: str) -> TopicRange:
    """Return the first and the end offsets of a topic.

    Raises:
        Unavailable: Kafka does not answer.
        QuartetError: INPUT, there is no such topic; CREDENTIALS.
    """
    with kafka_client.translate_errors():
        partitions = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
        if not partitions:
            raise QuartetError(ExitCode.INPUT, f"topic {topic} does not exist")
        begin, end = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    return TopicRange({p.partition: o for p, o in begin.items()}, {p.partition: o for p, o in end.items()})


def topic_records(consumer: KafkaConsumer, topic: str, extent: TopicRange) -> Iterator[Any]:
    """Yield the records of a topic within a range, then close the consumer.

    Raises:
        Unavailable: Kafka does not answer, or no record came for 30 s.
        QuartetError: CREDENTIALS.
    """
    left = {TopicPartition(topic, p): end for p, end in extent.end.items() if end > extent.begin[p]}
    try:
        with kafka_client.translate_errors():
            consumer.assign(list(left))
            for partition in left:
                consumer.seek(partition, extent.begin[partition.partition])
        last_record_at = time.monotonic()
        while left:
            with kafka_client.translate_errors():
                found = consumer.poll(timeout_ms=int(_POLL_SECONDS * 1000))
            for partition, records in found.items():
                last_record_at = time.monotonic()
                for record in records:
                    if record.offset < left.get(partition, 0):
                        yield record
            with kafka_client.translate_errors():
                left = {p: end for p, end in left.items() if consumer.position(p) < end}
            if time.monotonic() - last_record_at > _SILENCE_SECONDS:
                raise Unavailable("kafka", f"no record of {topic} came for {_SILENCE_SECONDS:.0f} s")
    finally:
        consumer.close()
