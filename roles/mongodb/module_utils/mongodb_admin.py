"""Shared by the MongoDB modules: a direct connection to the server as the user admin."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import missing_required_lib

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

try:
    import pymongo
    from pymongo import errors

    IMPORT_ERROR = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

CONNECTION: dict[str, dict[str, Any]] = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "ca_file": {"type": "path", "required": True},
    "admin_password": {"type": "str", "required": True, "no_log": True},
    "timeout": {"type": "int", "default": 30},
}


def connect(params: dict[str, Any], user: str, password: str) -> pymongo.MongoClient[dict[str, Any]]:
    """Return a client, which connects on its first call."""
    return pymongo.MongoClient(
        params["host"],
        params["port"],
        tls=True,
        tlsCAFile=params["ca_file"],
        username=user,
        password=password,
        authSource="admin",
        authMechanism="SCRAM-SHA-256",
        directConnection=True,
        serverSelectionTimeoutMS=2000,
        timeoutMS=20000,
    )


def administrator(module: AnsibleModule) -> pymongo.MongoClient[dict[str, Any]]:
    """Return a client that is logged in as admin; fail the module with the cause if that does not succeed within `timeout` seconds."""
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("pymongo"), exception=IMPORT_ERROR)
    params = module.params
    client = connect(params, "admin", params["admin_password"])
    end = time.monotonic() + params["timeout"]
    while True:
        try:
            client.admin.command("connectionStatus")
            return client
        except errors.OperationFailure as error:
            module.fail_json(msg=f"the database does not accept the user admin with the password of the secrets folder: {error}")
        except errors.PyMongoError as error:
            if time.monotonic() > end:
                module.fail_json(
                    msg=f"no answer from {params['host']}:{params['port']} within {params['timeout']} s: {error}. "
                    "Where mongod's journal shows a recovery, which takes minutes after a crash, raise mongodb_health_timeout"
                )
            time.sleep(0.5)
