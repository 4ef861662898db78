#!/usr/bin/python
"""Ansible module: manage the ACLs of principals."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_acl
short_description: Manage the ACLs of principals
description:
  - Creates the missing ACLs (allow, from any host) and deletes all others of the listed principals.
  - ACLs of other principals are not changed.
options:
  bootstrap: {description: Address of the broker's listener for certificates, type: str, required: true}
  certificate: {description: The administrator's key and certificate, type: path, required: true}
  ca: {description: The authority that signed the broker's certificate, type: path, required: true}
  timeout: {description: Seconds that a connection or an answer may take, type: int, default: 10}
  acls:
    description: The ACLs
    type: list
    elements: dict
    required: true
    suboptions:
      principal: {description: "Principal, such as User:producer", type: str, required: true}
      resource: {description: Kind of the resource, type: str, required: true, choices: [topic, group, cluster, transactional_id]}
      name: {description: Name of the resource, type: str, default: kafka-cluster}
      pattern: {description: "Match the name exactly (literal) or as a prefix", type: str, choices: [literal, prefixed], default: literal}
      operations: {description: "Operations, such as read and describe", type: list, elements: str, required: true}
author: Quartet
"""

EXAMPLES = r"""
- name: Let the producer write images, and nothing else
  kafka_acl:
    bootstrap: kafka.example.org:9092
    certificate: /etc/quartet/pki/kafka-admin.pem
    ca: /etc/quartet/pki/ca.crt
    acls:
      - {principal: "User:producer", resource: topic, name: images, operations: [write, describe]}
"""

RETURN = r"""
diff: {description: "The ACLs of the listed principals before and after, one per line", type: dict, returned: success}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kafka_admin import CONNECTION, administrator

RULE = {
    "principal": {"type": "str", "required": True},
    "resource": {"type": "str", "required": True, "choices": ["topic", "group", "cluster", "transactional_id"]},
    "name": {"type": "str", "default": "kafka-cluster"},
    "pattern": {"type": "str", "choices": ["literal", "prefixed"], "default": "literal"},
    "operations": {"type": "list", "elements": "str", "required": True},
}


def main() -> None:
    """Compare, create, delete."""
    module = AnsibleModule(
        {**CONNECTION, "acls": {"type": "list", "elements": "dict", "options": RULE, "required": True}},
        supports_check_mode=True,
    )
    with administrator(module) as client:
        from kafka.admin import (  # noqa: PLC0415  (administrator() reports its absence)
            ACL,
            ACLFilter,
            ACLOperation,
            ACLPermissionType,
            ACLResourcePatternType,
            ResourcePattern,
            ResourcePatternFilter,
            ResourceType,
        )

        try:
            wanted = {
                ACL(
                    rule["principal"],
                    "*",
                    ACLOperation[operation.upper()],
                    ACLPermissionType.ALLOW,
                    ResourcePattern(ResourceType[rule["resource"].upper()], rule["name"], ACLResourcePatternType[rule["pattern"].upper()]),
                )
                for rule in module.params["acls"]
                for operation in rule["operations"]
            }
        except KeyError as error:
            module.fail_json(msg=f"There is no operation {error} in Kafka; there are {', '.join(ACLOperation.__members__).lower()}")
        everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        rules, _ = client.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything))
        principals = {rule.principal for rule in wanted}
        current = {rule for rule in rules if rule.principal in principals}
        missing, surplus = list(wanted - current), list(current - wanted)
        if not module.check_mode:
            if missing:
                refused = client.create_acls(missing)["failed"]
                if refused:
                    module.fail_json(msg=f"Kafka refused {len(refused)} rules: {', '.join(sorted({e.__name__ for e in refused}))}")
            if surplus:
                refused = [error for _, _, error in client.delete_acls(surplus) if error.errno != 0]
                if refused:
                    module.fail_json(msg=f"Kafka did not delete {len(refused)} rules: {', '.join(e.__name__ for e in refused)}")
        module.exit_json(
            changed=bool(missing or surplus),
            diff={
                "before": "".join(f"{rule}\n" for rule in sorted(map(str, current))),
                "after": "".join(f"{rule}\n" for rule in sorted(map(str, wanted))),
            },
        )


if __name__ == "__main__":
    main()
