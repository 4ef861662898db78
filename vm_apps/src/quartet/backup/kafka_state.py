"""What a backup keeps of Kafka: the committed offsets of all groups, the topics, and who may do what. No records, no secrets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    OffsetSpec,
    ResourcePatternFilter,
    ResourceType,
)

from quartet.backup.manifest import Topic
from quartet.kafka.client import translate_errors

Committed = dict[str, dict[str, list[int]]]


@dataclass(frozen=True)
class KafkaState:
    """The state of a cluster. `committed`, `topics`: as in the manifest; `settings`: topics' settings, ACLs and user names, for a reader."""

    cluster_id: str
    committed: Committed
    topics: dict[str, Topic]
    settings: dict[str, Any]


def read_state(admin: KafkaAdminClient) -> KafkaState:
    """Read the committed offsets first, then everything else: no later reading can be of a time before the commits.

    Raises:
        Unavailable: Kafka does not answer.
        QuartetError: CREDENTIALS.
    """
    with translate_errors():
        groups = sorted(group["group_id"] for group in admin.list_groups())
        found = admin.list_group_offsets(groups) if groups else {}
        topics = read_topics(admin)
        committed = {
            group: {name: [_offset(found[group].get(TopicPartition(name, p))) for p in range(len(topics[name].end))] for name in names}
            for group in groups
            if (names := sorted({p.topic for p in found.get(group, {})} & topics.keys()))
        }
        return KafkaState(str(admin.describe_cluster()["cluster_id"]), committed, topics, _settings(admin, topics))


def read_topics(admin: KafkaAdminClient, names: Iterable[str] | None = None) -> dict[str, Topic]:
    """Return the topics (all but Kafka's own, or those of the names that exist) with their ids and offsets.

    Raises:
        Unavailable, QuartetError
    """
    with translate_errors():
        described = [
            topic
            for topic in admin.describe_topics(None if names is None else list(names))
            if not topic.get("error_code") and not topic.get("is_internal")
        ]
        partitions = [TopicPartition(topic["name"], p["partition_index"]) for topic in described for p in topic["partitions"]]
        begin = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST)) if partitions else {}
        end = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST)) if partitions else {}
    return {
        topic["name"]: Topic(
            id=str(topic["topic_id"]),
            begin=[begin[TopicPartition(topic["name"], p)].offset for p in range(len(topic["partitions"]))],
            end=[end[TopicPartition(topic["name"], p)].offset for p in range(len(topic["partitions"]))],
        )
        for topic in sorted(described, key=lambda topic: str(topic["name"]))
    }


def _offset(committed: Any | None) -> int:
    return -1 if committed is None else int(committed.offset)


def _settings(admin: KafkaAdminClient, topics: Iterable[str]) -> dict[str, Any]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    configs = admin.describe_configs(resources).get("topic", {}) if resources else {}
    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    acls, _ = admin.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything))
    users = admin.describe_user_scram_credentials()
    return {
        "topics": {name: {key: row["value"] for key, row in sorted(rows.items())} for name, rows in sorted(configs.items())},
        "acls": sorted(
            (
                {
                    "principal": acl.principal,
                    "host": acl.host,
                    "operation": acl.operation.name,
                    "permission": acl.permission_type.name,
                    "resource": acl.resource_pattern.resource_type.name,
                    "name": acl.resource_pattern.resource_name,
                    "pattern": acl.resource_pattern.pattern_type.name,
                }
                for acl in acls
            ),
            key=str,
        ),
        "users": {
            name: [info["mechanism"].name if hasattr(info["mechanism"], "name") else info["mechanism"] for info in user["credential_infos"]]
            for name, user in sorted(users.items())
        },
    }
