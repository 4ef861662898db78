#!/usr/bin/python
"""Ansible module: check the health of Kafka."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_info
short_description: Check the health of Kafka
description:
  - Reads the state of the quorum, the brokers and the topics, and reports what is wrong with them as C(problems). Changes nothing.
options:
  bootstrap: {description: Address of the broker's listener for certificates, type: str, required: true}
  certificate: {description: The administrator's key and certificate, type: path, required: true}
  ca: {description: The authority that signed the broker's certificate, type: path, required: true}
  timeout: {description: Seconds that a connection or an answer may take, type: int, default: 10}
  nodes: {description: Ids of the nodes that must be registered, type: list, elements: int, required: true}
  cluster: {description: "Expected id of the cluster; empty: not checked", type: str, default: ''}
  topics: {description: Names of the topics that must exist, type: list, elements: str, default: []}
author: Quartet
"""

EXAMPLES = r"""
- name: Check the health of Kafka
  kafka_info:
    bootstrap: kafka.example.org:9092
    certificate: /etc/quartet/pki/kafka-admin.pem
    ca: /etc/quartet/pki/ca.crt
    nodes: [1]
    topics: [images]
  register: kafka
  failed_when: kafka.problems | length > 0
"""

RETURN = r"""
problems: {description: Problems found; empty if there are none, type: list, returned: always, elements: str}
cluster: {description: Id of the cluster, type: str, returned: always}
leader: {description: "Id of the leader of the quorum; -1 if there is none", type: int, returned: always}
topics: {description: Number of partitions by topic, type: dict, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kafka_admin import CONNECTION, administrator

#: Voters fetch at least twice a second
CAUGHT_UP_MS = 5_000


def main() -> None:
    """Query Kafka and report problems."""
    module = AnsibleModule(
        {
            **CONNECTION,
            "nodes": {"type": "list", "elements": "int", "required": True},
            "cluster": {"type": "str", "default": ""},
            "topics": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    nodes = set(module.params["nodes"])
    with administrator(module) as client:
        cluster = client.describe_cluster()
        quorum = client.describe_metadata_quorum()["topics"][0]["partitions"][0]
        topics = {topic["name"]: topic for topic in client.describe_topics()}
        problems = []
        if module.params["cluster"] not in {"", cluster["cluster_id"]}:
            problems.append(f"this is cluster {cluster['cluster_id']}, not {module.params['cluster']}")
        if missing := nodes - {broker["broker_id"] for broker in cluster["brokers"]}:
            problems.append(f"nodes that are not registered as brokers: {sorted(missing)}")
        if missing := nodes - {voter["replica_id"] for voter in quorum["current_voters"]}:
            problems.append(f"nodes that are not voters of the quorum: {sorted(missing)}")
        if quorum["leader_id"] < 0:
            problems.append("the quorum has no leader")
        caught_up = {voter["replica_id"]: voter["last_caught_up_timestamp"] for voter in quorum["current_voters"]}
        if behind := [node for node, moment in sorted(caught_up.items()) if max(caught_up.values()) - moment > CAUGHT_UP_MS]:
            problems.append(f"voters that have not caught up with the quorum's log for {CAUGHT_UP_MS // 1000} s: {behind}")
        if missing := set(module.params["topics"]) - topics.keys():
            problems.append(f"missing topics: {', '.join(sorted(missing))}")
        for name, topic in sorted(topics.items()):
            bad = [
                partition["partition_index"]
                for partition in topic["partitions"]
                if partition["leader_id"] < 0 or len(partition["isr_nodes"]) < len(partition["replica_nodes"])
            ]
            if bad:
                problems.append(f"partitions of {name} without a leader or with too few replicas: {bad}")
        module.exit_json(
            changed=False,
            problems=problems,
            cluster=cluster["cluster_id"],
            leader=quorum["leader_id"],
            topics={name: len(topic["partitions"]) for name, topic in sorted(topics.items())},
        )


if __name__ == "__main__":
    main()
