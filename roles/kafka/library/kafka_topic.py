#!/usr/bin/python
"""Ansible module: create topics and manage their settings."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_topic
short_description: Create topics and manage their settings
description:
  - Creates missing topics and changes settings that differ. A setting that is not listed is reset to the broker's default.
  - The number of partitions of an existing topic is never changed, because keys would move to other partitions; a difference is an error.
options:
  bootstrap: {description: Address of the broker's listener for certificates, type: str, required: true}
  certificate: {description: The administrator's key and certificate, type: path, required: true}
  ca: {description: The authority that signed the broker's certificate, type: path, required: true}
  timeout: {description: Seconds that a connection or an answer may take, type: int, default: 10}
  topics:
    description: The topics
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name, type: str, required: true}
      partitions: {description: Number of partitions, type: int, required: true}
      config: {description: Settings, type: dict, default: {}}
author: Quartet
"""

EXAMPLES = r"""
- name: Create a topic with four partitions
  kafka_topic:
    bootstrap: kafka.example.org:9092
    certificate: /etc/quartet/pki/kafka-admin.pem
    ca: /etc/quartet/pki/ca.crt
    topics:
      - name: images
        partitions: 4
        config: {max.message.bytes: 262144}
"""

RETURN = r"""
created: {description: Names of the topics that were created, type: list, returned: success, elements: str}
altered: {description: Names of the topics whose settings were changed, type: list, returned: success, elements: str}
diff: {description: "Settings of the topics before and after, by topic and name", type: dict, returned: success}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kafka_admin import CONNECTION, administrator

TOPIC = {
    "name": {"type": "str", "required": True},
    "partitions": {"type": "int", "required": True},
    "config": {"type": "dict", "default": {}},
}


def as_text(value: Any) -> str:
    """Return a setting in the notation of Kafka."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def main() -> None:
    """Compare, create, alter."""
    module = AnsibleModule(
        {**CONNECTION, "topics": {"type": "list", "elements": "dict", "options": TOPIC, "required": True}},
        supports_check_mode=True,
    )
    wanted = {row["name"]: row for row in module.params["topics"]}
    config = {name: {key: as_text(value) for key, value in row["config"].items()} for name, row in wanted.items()}
    with administrator(module) as client:
        from kafka.admin import ConfigResource  # noqa: PLC0415  (administrator() reports its absence)

        partitions = {topic["name"]: len(topic["partitions"]) for topic in client.describe_topics()}
        differing = [
            f"{name} has {partitions[name]}, wanted are {row['partitions']}"
            for name, row in wanted.items()
            if partitions.get(name, row["partitions"]) != row["partitions"]
        ]
        if differing:
            module.fail_json(
                msg=f"Number of partitions: {'; '.join(differing)}. It is not changed, because a key would move to another "
                "partition and its records lose their order. Set the number that the topic has, or give the topic another name."
            )
        existing = sorted(wanted.keys() & partitions.keys())
        missing = sorted(wanted.keys() - partitions.keys())
        found: dict[str, Any] = {}
        if existing:
            found = client.describe_configs([ConfigResource("TOPIC", name) for name in existing])["topic"]
        before = {name: {key: entry["value"] for key, entry in found[name].items()} for name in existing}
        changes = {}
        for name in existing:
            sets = {key: ("SET", value) for key, value in config[name].items() if before[name].get(key) != value}
            resets = dict.fromkeys(before[name].keys() - config[name].keys(), ("DELETE", None))
            if sets or resets:
                changes[name] = {**sets, **resets}
        if not module.check_mode:
            if missing:
                client.create_topics(
                    {name: {"num_partitions": wanted[name]["partitions"], "configs": config[name]} for name in missing},
                    wait_for_metadata=True,
                )
            if changes:
                answers = client.alter_configs(
                    [ConfigResource("TOPIC", name, change) for name, change in changes.items()], raise_on_unknown=False
                )["topic"]
                refused = [f"{name}: {answer}" for name, answer in answers.items() if answer != "OK"]
                if refused:
                    module.fail_json(msg=f"Kafka refused the settings of {'; '.join(refused)}")
        module.exit_json(
            changed=bool(missing or changes),
            diff={"before": before, "after": config},
            created=missing,
            altered=sorted(changes),
        )


if __name__ == "__main__":
    main()
