#!/usr/bin/python
"""Ansible module: manage the users that log in by SCRAM-SHA-512."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_user
short_description: Manage the users that log in by SCRAM-SHA-512
description:
  - Creates missing users, and sets the password of those that cannot log in with it.
  - Kafka does not reveal stored passwords, so the module tries to log in with each. Users that are not listed are not changed.
options:
  bootstrap: {description: Address of the broker's listener for certificates, type: str, required: true}
  certificate: {description: The administrator's key and certificate, type: path, required: true}
  ca: {description: The authority that signed the broker's certificate, type: path, required: true}
  timeout: {description: Seconds that a connection or an answer may take, type: int, default: 10}
  login: {description: Address of the broker's listener for passwords, type: str, required: true}
  users:
    description: The users
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name, type: str, required: true}
      password: {description: Password; required if the state is present, type: str}
      state: {description: Whether the user may log in, type: str, choices: [present, absent], default: present}
author: Quartet
"""

EXAMPLES = r"""
- name: Set the password of the producer, and remove a former user
  kafka_user:
    bootstrap: kafka.example.org:9092
    certificate: /etc/quartet/pki/kafka-admin.pem
    ca: /etc/quartet/pki/ca.crt
    login: kafka.example.org:9093
    users:
      - {name: producer, password: "{{ producer_password }}"}
      - {name: former, state: absent}
  no_log: true
"""

RETURN = r"""
altered: {description: "Users that were created, removed or given another password", type: list, returned: success, elements: str}
"""

import logging
import ssl
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kafka_admin import CONNECTION, administrator

MECHANISM = "SCRAM-SHA-512"
ITERATIONS = 8192
USER = {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


class Refusals(logging.Handler):
    """Detects that the broker refused a password: kafka-python retries until a timeout, and only logs the cause."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def emit(self, record: logging.LogRecord) -> None:
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.seen |= any(type(argument).__name__ == "SaslAuthenticationFailedError" for argument in arguments)


def can_log_in(parameters: dict[str, Any], name: str, password: str) -> bool:
    """Return whether the user can log in with the password.

    Raises:
        KafkaError: any failure other than a refused password.
    """
    from kafka import KafkaAdminClient  # noqa: PLC0415  (administrator() reports its absence)
    from kafka.errors import KafkaError  # noqa: PLC0415

    refusals = Refusals()
    logging.getLogger("kafka").addHandler(refusals)
    try:
        KafkaAdminClient(
            bootstrap_servers=parameters["login"],
            security_protocol="SASL_SSL",
            ssl_context=ssl.create_default_context(cafile=parameters["ca"]),
            sasl_mechanism=MECHANISM,
            sasl_plain_username=name,
            sasl_plain_password=password,
            bootstrap_timeout_ms=3000,
        ).close()
    except KafkaError:
        if refusals.seen:
            return False
        raise
    finally:
        logging.getLogger("kafka").removeHandler(refusals)
    return True


def main() -> None:
    """Compare, set, remove."""
    module = AnsibleModule(
        {
            **CONNECTION,
            "login": {"type": "str", "required": True},
            "users": {
                "type": "list",
                "elements": "dict",
                "options": USER,
                "required": True,
                "required_if": [("state", "present", ["password"])],
                "no_log": False,
            },
        },
        supports_check_mode=True,
    )
    with administrator(module) as client:
        from kafka.admin import UserScramCredentialDeletion, UserScramCredentialUpsertion  # noqa: PLC0415

        existing = {
            name
            for name, answer in client.describe_user_scram_credentials().items()
            for credential in answer["credential_infos"]
            if credential["mechanism"].name == MECHANISM.replace("-", "_")
        }
        alterations: list[Any] = []
        for user in module.params["users"]:
            name, password = user["name"], user["password"]
            if user["state"] == "absent":
                if name in existing:
                    alterations.append(UserScramCredentialDeletion(name, MECHANISM))
            elif name not in existing or not can_log_in(module.params, name, password):
                alterations.append(UserScramCredentialUpsertion(name, MECHANISM, password, iterations=ITERATIONS))
        if alterations and not module.check_mode:
            answers = client.alter_user_scram_credentials(alterations)
            refused = [f"{name}: {message}" for name, message in answers.items() if message]
            if refused:
                module.fail_json(msg=f"Kafka refused the users {'; '.join(refused)}")
        module.exit_json(changed=bool(alterations), altered=[alteration.user for alteration in alterations])


if __name__ == "__main__":
    main()
