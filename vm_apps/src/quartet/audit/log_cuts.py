"""Where the log of a topic no longer holds what a group has read of it, by the group's commits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from quartet.audit.evidence import LogCut
from quartet.kafka import internals
from quartet.kafka.client import translate_errors
from quartet.kafka.commits import note_of
from quartet.kafka.leader_epochs import UNKNOWN
from quartet.runtime.errors import CALL_SECONDS


def log_cuts(consumer: KafkaConsumer, topic: str, commits: Mapping[int, OffsetAndMetadata]) -> Iterator[LogCut]:
    """Yield what the log of a topic has lost of what a group has read, accepted or not. `commits`: the group's, by partition.

    Raises:
        Unavailable: Kafka does not answer.
        QuartetError: CREDENTIALS.
    """
    with translate_errors():
        # makes the partitions' leaders known
        consumer.partitions_for_topic(topic)
        for partition, commit in commits.items():
            for first, stop in note_of(commit).lost:
                yield LogCut(topic, partition, first, stop)
            if commit.leader_epoch != UNKNOWN:
                place = TopicPartition(topic, partition)
                kept_to, _ = internals.end_of_epoch(consumer, place, commit.leader_epoch, CALL_SECONDS)
                if kept_to < commit.offset:
                    yield LogCut(topic, partition, max(kept_to, 0), commit.offset)
