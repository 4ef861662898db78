"""What Kafka says: partitions and offsets, consumer groups, quorum and log directories. Every call has a timeout."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from prometheus_client import Metric

from quartet.exporter import names
from quartet.exporter.record_times import RecordTimes
from quartet.kafka import client as kafka_client
from quartet.runtime.settings import Kafka

#: Topic that Kafka itself needs: without it no group commits
OFFSETS_TOPIC: Final = "__consumer_offsets"
#: The group of the stream, which keeps its offsets in its results and not in Kafka
STREAM_GROUP: Final = "spark-stream"

Offsets = dict[TopicPartition, int]


@dataclass(frozen=True)
class KafkaState:
    """One poll: the metrics; how many records each group has not committed; and the ends of the logs."""

    families: list[Metric]
    lags: dict[str, int]
    ends: Offsets


class KafkaPoll:
    """Polls Kafka.

    Args:
        settings: how to reach it.
        password: of that user.
        topics: the topics to report.
        groups: the topic that each consumer group reads. The groups are the inventory's, so one that is stopped, or not there, is reported too.
    """

    def __init__(self, settings: Kafka, password: str, topics: Sequence[str], groups: Mapping[str, str]) -> None:
        self._settings = settings
        self._password = password
        self._topics = [*topics, OFFSETS_TOPIC]
        self._groups = dict(groups)
        self._times = RecordTimes(settings, password)
        self._client: KafkaAdminClient | None = None

    def poll(self, stream: Mapping[int, int], stream_topic: str) -> KafkaState:
        """Ask Kafka.

        Args:
            stream: the offsets before which the stream has counted everything, by partition.
            stream_topic: the topic that the stream counts.

        Raises:
            Unavailable: it does not answer.
            QuartetError: CREDENTIALS.
        """
        try:
            with kafka_client.translate_errors():
                return self._poll(stream, stream_topic)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections; the next poll opens new ones."""
        admin, self._client = self._client, None
        if admin is not None:
            admin.close()
        self._times.close()

    def _poll(self, stream: Mapping[int, int], stream_topic: str) -> KafkaState:
        if self._client is None:
            self._client = kafka_client.connect_admin(self._settings, self._password)
        admin = self._client
        topics = {topic["name"]: topic for topic in admin.describe_topics(self._topics) if not topic["error_code"]}
        # Commits before ends: a lag may be overstated, and none is negative.
        # Before the first group joined, there is no coordinator to ask.
        known = dict(self._groups) if OFFSETS_TOPIC in topics else {}
        committed: dict[str, Offsets] = {group: {} for group in self._groups} | _committed(admin, known)
        groups = dict(self._groups)
        committed[STREAM_GROUP] = {TopicPartition(stream_topic, partition): offset for partition, offset in stream.items()}
        groups[STREAM_GROUP] = stream_topic
        with_leader = [
            TopicPartition(name, partition["partition_index"])
            for name, topic in topics.items()
            if name != OFFSETS_TOPIC
            for partition in topic["partitions"]
            if partition["leader_id"] >= 0
        ]
        oldest = _offsets(admin, with_leader, OffsetSpec.EARLIEST)
        ends = _offsets(admin, with_leader, OffsetSpec.LATEST)
        settings = _topic_settings(admin, list(topics))
        positions = {
            group: {p: max(committed[group].get(p, oldest[p]), oldest[p]) for p in ends if p.topic == topic}
            for group, topic in groups.items()
        }
        lags = {group: {p: max(0, ends[p] - offset) for p, offset in offsets.items()} for group, offsets in positions.items()}
        families = [
            names.BROKERS.value(len(admin.describe_cluster()["brokers"])),
            *_partitions(topics),
            names.END.of(((p.topic, p.partition), offset) for p, offset in ends.items()),
            names.OLDEST.of(((p.topic, p.partition), offset) for p, offset in oldest.items()),
            names.MIN_IN_SYNC.of(((topic,), float(found["min.insync.replicas"])) for topic, found in settings.items()),
            names.RETENTION.of(((topic,), _retention(found)) for topic, found in settings.items()),
            names.LAG.of(((g, p.topic, p.partition), lag) for g, found in lags.items() for p, lag in found.items()),
            names.COMMITTED.of(((g, p.topic, p.partition), offset) for g, found in positions.items() for p, offset in found.items()),
            names.MEMBERS.of(
                ((group,), number) for group, number in (dict.fromkeys(self._groups, 0) | _members(admin, list(known))).items()
            ),
            *self._ages(groups, positions, lags, settings),
            *_quorum(admin),
            *_log_directories(admin),
        ]
        return KafkaState(families, {group: sum(found.values()) for group, found in lags.items()}, ends)

    def _ages(
        self,
        groups: Mapping[str, str],
        positions: Mapping[str, Offsets],
        lags: Mapping[str, Offsets],
        settings: Mapping[str, Mapping[str, str]],
    ) -> Iterator[Metric]:
        wanted = {(p, positions[group][p]) for group, found in lags.items() for p, lag in found.items() if lag}
        times = self._times.read(wanted)
        now = time.time()
        ages = {
            group: max(
                (now - times[p, offset] for p, offset in positions[group].items() if lags[group][p] and (p, offset) in times), default=0.0
            )
            for group in groups
        }
        # Where the records at a lag could not be read in time, nothing is said rather than 0.
        known = {
            group: topic
            for group, topic in groups.items()
            if not any(lags[group].values()) or any((p, offset) in times for p, offset in positions[group].items())
        }
        yield names.LAG_SECONDS.of(((group, topic), max(0.0, ages[group])) for group, topic in known.items())
        yield names.RETENTION_LEFT.of(
            ((group,), max(0.0, _retention(settings[topic]) - ages[group])) for group, topic in known.items() if topic in settings
        )


def _committed(admin: KafkaAdminClient, groups: Mapping[str, str]) -> dict[str, Offsets]:
    found = admin.list_group_offsets(list(groups)) if groups else {}
    return {
        group: {p: entry.offset for p, entry in found.get(group, {}).items() if p.topic == topic and entry.offset >= 0}
        for group, topic in groups.items()
    }


def _offsets(admin: KafkaAdminClient, partitions: Sequence[TopicPartition], spec: OffsetSpec) -> Offsets:
    if not partitions:
        return {}
    return {p: found.offset for p, found in admin.list_partition_offsets(dict.fromkeys(partitions, spec)).items()}


def _topic_settings(admin: KafkaAdminClient, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    wanted = ["retention.ms", "min.insync.replicas"]
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic, wanted) for topic in topics]
    found: Mapping[str, Mapping[str, Any]] = admin.describe_configs(resources, config_filter="all")["topic"] if resources else {}
    return {topic: {name: str(entry["value"]) for name, entry in settings.items()} for topic, settings in found.items()}


def _retention(settings: Mapping[str, str]) -> float:
    milliseconds = int(settings["retention.ms"])
    return math.inf if milliseconds < 0 else milliseconds / 1000


def _partitions(topics: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    rows = [((name, p["partition_index"]), p) for name, topic in topics.items() for p in topic["partitions"]]
    yield names.LEADER.of((labels, p["leader_id"]) for labels, p in rows)
    yield names.REPLICAS.of((labels, len(p["replica_nodes"])) for labels, p in rows)
    yield names.IN_SYNC.of((labels, len(p["isr_nodes"])) for labels, p in rows)
    yield names.UNDER_REPLICATED.of((labels, len(p["isr_nodes"]) < len(p["replica_nodes"])) for labels, p in rows)


def _members(admin: KafkaAdminClient, groups: list[str]) -> dict[str, int]:
    found = admin.describe_groups(groups) if groups else {}
    return {group: len(found.get(group, {}).get("members") or ()) for group in groups}


def _quorum(admin: KafkaAdminClient) -> Iterator[Metric]:
    (partition,) = admin.describe_metadata_quorum()["topics"][0]["partitions"]
    yield names.QUORUM_LEADER.value(partition["leader_id"])
    yield names.QUORUM_EPOCH.value(partition["leader_epoch"])
    ends = {voter["replica_id"]: voter["log_end_offset"] for voter in partition["current_voters"]}
    yield names.QUORUM_LAG.of(((node,), max(0, max(ends.values()) - end)) for node, end in ends.items())


def _log_directories(admin: KafkaAdminClient) -> Iterator[Metric]:
    rows = [(found["broker"], folder) for found in admin.describe_log_dirs() for folder in found["log_dirs"] if not folder["error_code"]]
    sizes: dict[tuple[int, str], int] = {}
    for broker, folder in rows:
        for topic in folder["topics"]:
            key = (broker, topic["name"])
            sizes[key] = sizes.get(key, 0) + sum(partition["partition_size"] for partition in topic["partitions"])
    yield names.LOG_BYTES.of(sizes.items())
    yield names.DISK_BYTES.of(((broker, folder["log_dir"]), folder["total_bytes"]) for broker, folder in rows)
    yield names.DISK_LEFT.of(((broker, folder["log_dir"]), folder["usable_bytes"]) for broker, folder in rows)
