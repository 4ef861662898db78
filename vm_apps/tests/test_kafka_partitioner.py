"""The same partition as kafka-python and Kafka's Java clients choose, for every key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import default
from quartet.contracts.ids import image_id
from quartet.kafka.partitioner import KeyPartitioner, murmur2


class Cluster:
    """Knows one topic (kafka.cluster.ClusterMetadata)."""

    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        return {"images"} if self._partitions else set()

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self._partitions or None

    available_partitions_for_topic = partitions_for_topic


@given(st.binary(max_size=40), st.integers(1, 30))
def test_a_key_has_the_partition_that_kafka_python_gives_it(key: bytes, partitions: int) -> None:
    assert murmur2(key) == default.murmur2(key)
    arguments = ("images", None, key, None, None, Cluster(partitions))
    assert KeyPartitioner().partition(*arguments) == default.DefaultPartitioner().partition(*arguments)


def test_the_hash_is_the_one_of_kafkas_own_test() -> None:
    # UtilsTest.testMurmur2 of Apache Kafka, as unsigned numbers
    assert murmur2(b"21") == -973932308 & 0xFFFFFFFF
    assert murmur2(b"foobar") == -790332482 & 0xFFFFFFFF
    assert murmur2(b"a-little-bit-long-string") == -985981536 & 0xFFFFFFFF
    assert murmur2(b"abc") == 479470107


def test_images_spread_over_all_partitions() -> None:
    numbers = [KeyPartitioner().partition("images", None, image_id(101, "first", n).encode(), None, None, Cluster(12)) for n in range(1200)]
    assert all(60 < numbers.count(number) < 140 for number in range(12))


def test_without_a_key_or_a_topic_kafka_python_decides() -> None:
    assert KeyPartitioner().partition("images", None, None, None, None, Cluster(3)) in {0, 1, 2}
    with pytest.raises(ValueError, match="images"):
        KeyPartitioner().partition("images", None, b"key", None, None, Cluster(0))
