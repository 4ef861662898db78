"""The only accesses to private attributes of kafka-python's clients, for functions without a public API.

A new release of kafka-python may move them: `tests/test_kafka_internals.py` names the missing one.
"""

from __future__ import annotations

from typing import Final

from kafka import KafkaConsumer, KafkaProducer

#: The private attributes in use, as paths from a client
CONSUMER_ATTRIBUTES: Final = ("_cluster.need_all_topic_metadata", "_cluster.request_update", "_net.run", "_manager.wait_for")
PRODUCER_ATTRIBUTES: Final = ("_sender.force_close",)


def partitions_of_topic(consumer: KafkaConsumer, topic: str, seconds: float) -> set[int]:
    """Return the partitions of a topic, as KafkaConsumer.partitions_for_topic does, but with a timeout.

    Raises:
        kafka.errors.KafkaTimeoutError: no broker answered in time.
    """
    cluster = consumer._cluster
    if not cluster.partitions_for_topic(topic):
        before, cluster.need_all_topic_metadata = cluster.need_all_topic_metadata, True
        try:
            consumer._net.run(consumer._manager.wait_for, cluster.request_update(), int(seconds * 1000))
        finally:
            cluster.need_all_topic_metadata = before
    return cluster.partitions_for_topic(topic) or set()


def force_close(producer: KafkaProducer) -> None:
    """Stop a producer's thread, which would otherwise go on sending the records in flight."""
    producer._sender.force_close()
