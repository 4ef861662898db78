"""The only accesses to private attributes of kafka-python's clients, for functions without a public API.

A new release of kafka-python may move them: `tests/test_kafka_internals.py` names the missing one.
"""

from __future__ import annotations

from typing import Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka import errors as kafka_errors
from kafka.protocol.consumer import OffsetForLeaderEpochRequest

#: The private attributes in use, as paths from a client
CONSUMER_ATTRIBUTES: Final = (
    "_cluster.leader_epoch_for_partition",
    "_cluster.leader_for_partition",
    "_cluster.need_all_topic_metadata",
    "_cluster.request_update",
    "_cluster.topic_id",
    "_manager.send",
    "_manager.wait_for",
    "_net.run",
)
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


def topic_id(consumer: KafkaConsumer, topic: str) -> str | None:
    """Return the id of a topic that the consumer reads, by its newest metadata; None if it is not known, or there is no such topic."""
    found = consumer._cluster.topic_id(topic)
    # Kafka's answer for a topic that does not exist is an id of zeros
    return str(found) if found is not None and found.int else None


def leader_epoch(consumer: KafkaConsumer, partition: TopicPartition) -> int | None:
    """Return the epoch of a partition's leader, by the consumer's newest metadata; None if it is not known."""
    found: int | None = consumer._cluster.leader_epoch_for_partition(partition)
    return None if found is None or found < 0 else found


def end_of_epoch(consumer: KafkaConsumer, partition: TopicPartition, epoch: int, seconds: float) -> tuple[int, int]:
    """Ask the leader of a partition where its log ends that epoch: the offset after its last record of it, or of the last epoch before it.

    Returns:
        The offset and that epoch; -1 for both if the log does not reach back or forth to the epoch.

    Raises:
        kafka.errors.KafkaError: the leader is not known, or did not answer in time.
    """
    cluster, manager = consumer._cluster, consumer._manager
    leader = cluster.leader_for_partition(partition)
    if leader in (None, -1):
        cluster.request_update()
        raise kafka_errors.LeaderNotAvailableError(f"{partition.topic}/{partition.partition} has no leader")
    topic = OffsetForLeaderEpochRequest.OffsetForLeaderTopic
    wanted = topic.OffsetForLeaderPartition(partition=partition.partition, current_leader_epoch=-1, leader_epoch=epoch)
    request = OffsetForLeaderEpochRequest(replica_id=-1, topics=[topic(topic=partition.topic, partitions=[wanted])])
    answer = consumer._net.run(manager.wait_for, manager.send(request, node_id=leader), int(seconds * 1000))
    ((found,),) = (one.partitions for one in answer.topics)
    error = kafka_errors.for_code(found.error_code)
    if error is not kafka_errors.NoError:
        cluster.request_update()
        raise error(f"{partition.topic}/{partition.partition}")
    return found.end_offset, found.leader_epoch


def force_close(producer: KafkaProducer) -> None:
    """Stop a producer's thread, which would otherwise go on sending the records in flight."""
    producer._sender.force_close()
