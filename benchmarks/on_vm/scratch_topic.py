"""Create or drop a topic like `images`, with rights for the producer and the DB consumer: make|drop TOPIC."""

import ssl
import sys
from contextlib import suppress
from pathlib import Path

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    NewTopic,
    ResourcePattern,
    ResourceType,
)
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

verb, topic = sys.argv[1:]
properties = dict(
    line.split("=", 1) for line in Path("/etc/quartet/kafka/server.properties").read_text().splitlines() if "=" in line and line[0] != "#"
)
listeners = dict(item.split("://") for item in properties["advertised.listeners"].split(","))
context = ssl.create_default_context(cafile="/etc/quartet/pki/ca.crt")
context.load_cert_chain("/etc/quartet/pki/kafka-admin.pem")
client = KafkaAdminClient(bootstrap_servers=listeners["BROKER"], security_protocol="SSL", ssl_context=context)
groups = ResourcePattern(ResourceType.GROUP, "bench-", ACLResourcePatternType.PREFIXED)
whole = ResourcePattern(ResourceType.TOPIC, topic)
rules = [
    ACL(f"User:{user}", "*", ACLOperation[name], ACLPermissionType.ALLOW, pattern)
    for user, names, pattern in (
        ("producer", ("WRITE", "DESCRIBE"), whole),
        ("db_consumer", ("READ", "DESCRIBE"), whole),
        ("db_consumer", ("READ",), groups),
    )
    for name in names
]
if verb == "make":
    with suppress(TopicAlreadyExistsError):
        settings = {"compression.type": "uncompressed", "message.timestamp.type": "LogAppendTime", "max.message.bytes": "262144"}
        client.create_topics([NewTopic(topic, 12, 1, topic_configs=settings)])
    client.create_acls(rules)
else:
    with suppress(UnknownTopicOrPartitionError):
        client.delete_topics([topic])
    client.delete_acls([ACLFilter(rule.principal, "*", rule.operation, rule.permission_type, rule.resource_pattern) for rule in rules])
    names = [group["group_id"] if isinstance(group, dict) else group[0] for group in client.list_groups()]
    client.delete_groups([name for name in names if name.startswith("bench-")])
client.close()
