"""What the apps need of kafka-python's clients that has no public name. Nothing else touches their private attributes.

A release of kafka-python may move them: `tests/test_kafka_internals.py` says which one did.
"""

from __future__ import annotations

from typing import Final

from kafka import KafkaConsumer, KafkaProducer

#: The private attributes, as paths from a client
OF_A_CONSUMER: Final = ("_cluster.need_all_topic_metadata", "_cluster.request_update", "_net.run", "_manager.wait_for")
OF_A_PRODUCER: Final = ("_sender.force_close",)


def partitions_of_topic(consumer: KafkaConsumer, topic: str, seconds: float) -> set[int]:
    """Do what KafkaConsumer.partitions_for_topic does, which waits for a broker that is away without end.

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
    """End a producer's thread, which would go on sending what is under way."""
    producer._sender.force_close()
