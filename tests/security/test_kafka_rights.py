"""What each user of Kafka may do, cell by cell: the broker's own judgement of every right, and the calls that must fail, tried.

The tables say what docs/refusals.md says; they are not read from the playbooks.
"""

from __future__ import annotations

import re
import time
from itertools import product

import pytest
from security.evidence import refused
from security.lab import CA, KAFKA, KAFKA_USERS, journal, model, python_on

TOPICS = ("images", "inferences", "dead-letters", "__consumer_offsets", "sec-unheard-of")
GROUPS = ("db-consumer-images", "db-consumer-inferences", f"inference-{model()}", "inference-sec", "spark-sec", "auditor-sec", "sec-group")
TOPIC_RIGHTS = {
    ("producer", "images"): {"WRITE", "DESCRIBE"},
    ("db_consumer", "images"): {"READ", "DESCRIBE"},
    ("db_consumer", "inferences"): {"READ", "DESCRIBE"},
    ("db_consumer", "dead-letters"): {"WRITE", "DESCRIBE"},
    ("inference", "images"): {"READ", "DESCRIBE"},
    ("inference", "inferences"): {"WRITE", "DESCRIBE"},
    ("spark", "inferences"): {"READ", "DESCRIBE"},
    ("console", "inferences"): {"READ", "DESCRIBE"},
    ("auditor", "images"): {"READ", "DESCRIBE", "DESCRIBE_CONFIGS"},
    ("auditor", "inferences"): {"READ", "DESCRIBE", "DESCRIBE_CONFIGS"},
    ("auditor", "dead-letters"): {"READ", "DESCRIBE", "DESCRIBE_CONFIGS"},
    ("exporter", "images"): {"READ", "DESCRIBE", "DESCRIBE_CONFIGS"},
    ("exporter", "inferences"): {"READ", "DESCRIBE", "DESCRIBE_CONFIGS"},
    ("exporter", "dead-letters"): {"DESCRIBE", "DESCRIBE_CONFIGS"},
    ("exporter", "__consumer_offsets"): {"DESCRIBE", "DESCRIBE_CONFIGS"},
}
GROUP_RIGHTS = {
    ("db_consumer", "db-consumer-images"): {"READ", "DESCRIBE"},
    ("db_consumer", "db-consumer-inferences"): {"READ", "DESCRIBE"},
    ("inference", f"inference-{model()}"): {"READ", "DESCRIBE"},
    ("inference", "inference-sec"): {"READ", "DESCRIBE"},
    ("spark", "spark-sec"): {"READ", "DESCRIBE"},
    ("auditor", "db-consumer-images"): {"DESCRIBE"},
    ("auditor", "db-consumer-inferences"): {"DESCRIBE"},
    ("auditor", f"inference-{model()}"): {"DESCRIBE"},
    ("auditor", "inference-sec"): {"DESCRIBE"},
    ("auditor", "auditor-sec"): {"READ", "DESCRIBE"},
    ("exporter", "db-consumer-images"): {"DESCRIBE"},
    ("exporter", "db-consumer-inferences"): {"DESCRIBE"},
    ("exporter", f"inference-{model()}"): {"DESCRIBE"},
    ("exporter", "inference-sec"): {"DESCRIBE"},
}
# The calls as they are on the wire, so that the broker judges them and not the client, and none that could take effect: a record that
# is too large for any topic, records before the first one, a member that is not there, a validation, a user that is not there.
_TRIES = """
import logging, pathlib
from kafka import KafkaAdminClient, TopicPartition, admin as names
from kafka.errors import KafkaError, for_code
from kafka.protocol.admin import DescribeConfigsRequest
from kafka.protocol.consumer import FetchRequest, HeartbeatRequest
from kafka.protocol.producer import ProduceRequest
from kafka.record import MemoryRecordsBuilder

logging.disable(logging.CRITICAL)
admin = KafkaAdminClient(bootstrap_servers=order["kafka"], security_protocol="SASL_SSL", ssl_cafile=order["ca"], sasl_mechanism="SCRAM-SHA-512",
                         sasl_plain_username=order["user"], sasl_plain_password=pathlib.Path(order["password"]).read_text().strip(),
                         bootstrap_timeout_ms=10000, request_timeout_ms=10000)
batch = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1 << 22)
batch.append(timestamp=0, key=b"sec", value=bytes(2 << 20), headers=[])
batch.close()
answer = {}

def tried(name, call):
    try:
        answer[name] = f"answered {call()}"
    except KafkaError as error:
        answer[name] = f"{type(error).__name__} {error}"

def ask(request):
    return admin._manager.run(lambda: admin._manager.send(request, node_id=order["node"]))

def code(number):
    return for_code(number).__name__

def write(topic):
    data = ProduceRequest.TopicProduceData(name=topic, partition_data=[ProduceRequest.TopicProduceData.PartitionProduceData(index=0, records=batch.buffer())])
    return code(ask(ProduceRequest(transactional_id=None, acks=-1, timeout_ms=5000, topic_data=[data], min_version=3, max_version=9))
                .responses[0].partition_responses[0].error_code)

def read(topic):
    partition = FetchRequest.FetchTopic.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1)
    request = FetchRequest(max_wait_ms=10, min_bytes=0, max_bytes=1, isolation_level=0, session_id=0, session_epoch=-1,
                           topics=[FetchRequest.FetchTopic(topic=topic, partitions=[partition])], forgotten_topics_data=[], rack_id="", max_version=12)
    return code(ask(request).responses[0].partitions[0].error_code)

def configure(kind, name, settings):
    return admin.alter_configs([names.ConfigResource(kind, name, settings)], validate_only=True, raise_on_unknown=False)

for topic in order["topics"]:
    tried(f"WRITE {topic}", lambda: write(topic))
    tried(f"READ {topic}", lambda: read(topic))
    tried(f"DESCRIBE {topic}", lambda: code(admin.describe_topics([topic])[0]["error_code"]))
    tried(f"DESCRIBE_CONFIGS {topic}", lambda: code(ask(DescribeConfigsRequest(
        resources=[(int(names.ConfigResourceType.TOPIC), topic, None)], include_synonyms=False)).results[0].error_code))
    tried(f"DELETE {topic}", lambda: admin.delete_records({TopicPartition(topic, 0): 0}, partition_leader_id=order["node"]))
    tried(f"ALTER {topic}", lambda: admin.create_partitions({topic: 100}, validate_only=True))
    tried(f"ALTER_CONFIGS {topic}", lambda: configure(names.ConfigResourceType.TOPIC, topic, {"retention.ms": "1"}))
for group in order["groups"]:
    tried(f"READ {group}", lambda: code(ask(HeartbeatRequest(group_id=group, generation_id=1, member_id="sec", group_instance_id=None)).error_code))
    tried(f"DESCRIBE {group}", lambda: admin.describe_groups([group], group_coordinator_id=order["node"])[group]["error"])
    tried(f"DELETE {group}", lambda: admin.delete_groups([group], group_coordinator_id=order["node"]))
anything = names.ACLFilter(None, None, names.ACLOperation.ANY, names.ACLPermissionType.ANY,
                           names.ResourcePatternFilter(names.ResourceType.ANY, None, names.ACLResourcePatternType.ANY))
rule = names.ACL("User:sec", "*", names.ACLOperation.READ, names.ACLPermissionType.ALLOW,
                 names.ResourcePattern(names.ResourceType.TOPIC, "sec-unheard-of"))
tried("make a topic", lambda: admin.create_topics(["sec-unheard-of"], validate_only=True))
tried("delete a topic", lambda: admin.delete_topics(["sec-unheard-of"]))
tried("alter the broker's settings", lambda: configure(names.ConfigResourceType.BROKER, str(order["node"]), {"log.retention.ms": "1"}))
tried("read the access rules", lambda: admin.describe_acls(anything))
tried("make an access rule", lambda: admin.create_acls([rule]))
tried("remove a user", lambda: admin.alter_user_scram_credentials([names.UserScramCredentialDeletion("sec", names.ScramMechanism.SCRAM_SHA_512)]))
admin.close()
"""
TOPIC_OPERATIONS = ("WRITE", "READ", "DESCRIBE", "DESCRIBE_CONFIGS", "DELETE", "ALTER", "ALTER_CONFIGS")
GROUP_OPERATIONS = ("READ", "DESCRIBE", "DELETE")
# What nobody may but the administrator, and who ALSO names: what the broker's journal names, and the request
_CLUSTER = "Cluster:LITERAL:kafka-cluster"
ADMINISTRATORS = {
    "make a topic": "Topic:LITERAL:sec-unheard-of for request = CreateTopics",
    "delete a topic": "Topic:LITERAL:sec-unheard-of for request = DeleteTopics",
    "alter the broker's settings": f"{_CLUSTER} for request = IncrementalAlterConfigs",
    "read the access rules": f"{_CLUSTER} for request = DescribeAcls",
    "make an access rule": f"{_CLUSTER} for request = CreateAcls",
    "remove a user": f"{_CLUSTER} for request = AlterUserScramCredentials",
}

# Who may see what describes the cluster sees the access rules with it.
ALSO = {"exporter": {"read the access rules"}}


@pytest.mark.parametrize("user", KAFKA_USERS)
def test_each_user_may_do_what_its_app_needs_and_nothing_else(user: str) -> None:
    machine, app, password = KAFKA_USERS[user]
    since = time.time()
    found = python_on(machine, app, _TRIES, kafka=KAFKA, ca=CA, user=user, password=password, node=1, topics=TOPICS, groups=GROUPS)
    may = {f"{right} {name}" for (who, name), rights in (TOPIC_RIGHTS | GROUP_RIGHTS).items() if who == user for right in rights}
    may |= ALSO.get(user, set())
    tried = {f"{right} {name}" for right, name in [*product(TOPIC_OPERATIONS, TOPICS), *product(GROUP_OPERATIONS, GROUPS)]}
    assert found.keys() == tried | ADMINISTRATORS.keys()
    wrong = {call: outcome for call, outcome in found.items() if (call in may) == _is_refusal(outcome)}
    assert not wrong
    denials = [line for line in journal("vm3", "kafka", since) if f"Principal = User:{user} is Denied" in line]
    for call in sorted(found.keys() - may):
        right, _, name = call.partition(" ")
        says = (
            f"on resource = {ADMINISTRATORS[call]} "
            if call in ADMINISTRATORS
            else rf"operation = {right} from host = \S+ on resource = (Topic|Group):LITERAL:{name} "
        )
        line = next((line for line in denials if re.search(says, line)), None)
        assert line is not None, f"the broker's journal says nothing of {call}: {says}"
        if call in ADMINISTRATORS or (name in TOPICS[:3] and right in ("READ", "WRITE")):
            refused(f"Kafka: {user}: {call}", "broker: access rules", line)


def _is_refusal(outcome: str) -> bool:
    return "authoriz" in outcome.lower() or " needs ALTER permission" in outcome
