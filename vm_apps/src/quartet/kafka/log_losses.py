"""How a log that lost records is told to an operator: topic, partition, offsets and cause."""

from __future__ import annotations

from kafka import TopicPartition


def name(partition: TopicPartition) -> str:
    """Return how messages name a partition."""
    return f"{partition.topic}/{partition.partition}"


def cut(partition: TopicPartition, read_to: int, kept_to: int, end: int) -> str:
    """Say what a cut log has lost. `read_to`: the next offset to read; `kept_to`: the first one that is lost; `end`: where the log ends."""
    others = f"other records, of which none was read, are at offsets {kept_to} to {end - 1} now"
    return (
        f"{name(partition)}: the broker has lost the end of its log, as a power loss does where appends are not flushed: "
        f"what was read at offsets {kept_to} to {read_to - 1} is gone, and {others if end > kept_to else f'the log ends at offset {end}'}"
    )


def out_of_range(partition: TopicPartition, wanted: int, oldest: int, end: int) -> str:
    """Say why there is no record at an offset. `oldest`: the first one that is left; `end`: where the log ends."""
    if wanted < oldest:
        return f"{name(partition)}: offsets {wanted} to {oldest - 1} are deleted"
    if wanted > end:
        return (
            f"{name(partition)}: the log ends at offset {end}, before offset {wanted} that this group has reached; "
            "the topic was created anew, or the broker has lost the end of its log"
        )
    return (
        f"{name(partition)}: the log does not hold the record before offset {wanted}, which this group has read: other records, of which none "
        f"was read, are at offsets {oldest} to {end - 1}; the topic was created anew, or the broker has lost its log"
    )


def new_topic(partition: TopicPartition, read_to: int, before: str, now: str) -> str:
    """Say that a topic was created anew. `read_to`: the next offset to read of the former one; `before`, `now`: the topic's ids."""
    return (
        f"{name(partition)}: the topic was created anew (its id is {now}): what was read up to offset {read_to} was of a topic with id {before}, "
        "and what that one had after it is gone"
    )
