"""Shared by the Kafka modules: the connection as administrator, by client certificate."""

from __future__ import annotations

import logging
import ssl
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import missing_required_lib

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule
    from kafka.admin import KafkaAdminClient

try:
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    IMPORT_ERROR = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

# Connection errors reach the module as exceptions; nothing else may be written to stderr.
logging.getLogger("kafka").addHandler(logging.NullHandler())

CONNECTION: dict[str, dict[str, Any]] = {
    "bootstrap": {"type": "str", "required": True},
    "certificate": {"type": "path", "required": True},
    "ca": {"type": "path", "required": True},
    "timeout": {"type": "int", "default": 10},
}


@contextmanager
def administrator(module: AnsibleModule) -> Iterator[KafkaAdminClient]:
    """Connect as the administrator; any error of Kafka ends the module with its cause."""
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kafka-python"), exception=IMPORT_ERROR)
    where = module.params["bootstrap"]
    try:
        context = ssl.create_default_context(cafile=module.params["ca"])
        context.load_cert_chain(module.params["certificate"])
    except (OSError, ssl.SSLError) as error:
        module.fail_json(msg=f"cannot read {module.params['certificate']} or {module.params['ca']}: {error}")
    try:
        with KafkaAdminClient(
            bootstrap_servers=where,
            security_protocol="SSL",
            ssl_context=context,
            bootstrap_timeout_ms=module.params["timeout"] * 1000,
            request_timeout_ms=module.params["timeout"] * 1000,
        ) as client:
            yield client
    except KafkaError as error:
        module.fail_json(msg=f"Kafka at {where}: {type(error).__name__}: {error}")
