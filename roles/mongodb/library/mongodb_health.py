"""Checks that this member of the replica set accepts durable writes. Leaves nothing behind but a note in the oplog."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mongodb_health
short_description: Check that a MongoDB server is healthy
description:
  - Checks the state of the replica set and its members, a write to the journals of a majority, the feature compatibility version and
    TLS, and reports what is wrong. Repeats the checks until nothing is wrong or the timeout has passed.
options:
  host: {type: str, required: true, description: Address}
  port: {type: int, required: true, description: Port}
  ca_file: {type: path, required: true, description: Authority that signed the server's certificate}
  admin_password: {type: str, required: true, description: Password of the user admin}
  replica_set: {type: str, required: true, description: Name of its replica set}
  timeout: {type: int, default: 30, description: Seconds to wait until nothing is wrong}
author: Quartet
"""

EXAMPLES = r"""
- name: Check that the server is healthy
  mongodb_health:
    host: 192.0.2.1
    port: 27017
    ca_file: /etc/quartet/pki/ca.crt
    admin_password: "{{ password }}"
    replica_set: quartet
"""

RETURN = r"""
version: {description: Version of the server, type: str, returned: always}
state: {description: State of this member, type: str, returned: always}
startup_warnings: {description: Warnings that the server logged at its start, type: list, returned: always, elements: str}
"""

import json
import time
from contextlib import suppress
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_admin import CONNECTION, administrator

with suppress(ImportError):  # administrator() reports it
    from pymongo import errors

HEALTHY_STATES = ("PRIMARY", "SECONDARY", "ARBITER")


def replica_set(admin: Any, name: str) -> tuple[str, list[str]]:
    """Return the state of this member, and the problems of the replica set."""
    status = admin.command("replSetGetStatus")
    members = {member["name"]: member["stateStr"] for member in status["members"]}
    own = next(member["stateStr"] for member in status["members"] if member.get("self"))
    problems = [f"member {member} is {state}" for member, state in members.items() if state not in HEALTHY_STATES]
    if status["set"] != name:
        problems.append(f"the replica set is called {status['set']}, not {name}")
    if "PRIMARY" not in members.values():
        problems.append("the replica set has no primary, so nothing can be written")
    return own, problems


def durability(admin: Any, own: str) -> list[str]:
    """Return why an acknowledged write could be lost. Only a primary can test a write; the note is stored only in the oplog."""
    problems = []
    if admin.command("replSetGetConfig")["config"].get("writeConcernMajorityJournalDefault") is False:
        problems.append("writeConcernMajorityJournalDefault is off: a majority acknowledges writes that are not in its journals")
    if own == "PRIMARY":
        note = {"data": {"quartet": "health"}, "writeConcern": {"w": "majority", "j": True, "wtimeout": 5000}}
        failure = admin.command("appendOplogNote", 1, **note).get("writeConcernError")
        if failure:
            problems.append(f"no majority has a write in its journal after 5 s: {failure.get('errmsg')}")
    return problems


def settings(admin: Any, version: str) -> list[str]:
    """Return the problems of the feature compatibility version and of TLS."""
    found = admin.command("getParameter", 1, featureCompatibilityVersion=1, tlsMode=1)
    problems = []
    if found["tlsMode"] != "requireTLS":
        problems.append(f"tlsMode is {found['tlsMode']}: connections in plaintext are accepted")
    compatibility = found["featureCompatibilityVersion"]
    if "targetVersion" in compatibility:
        problems.append(f"a change of the feature compatibility version to {compatibility['targetVersion']} was interrupted: run it again")
    elif compatibility["version"] != ".".join(version.split(".")[:2]):
        problems.append(
            f"the feature compatibility version is {compatibility['version']} under server {version}: once no downgrade is needed, run "
            f"setFeatureCompatibilityVersion {'.'.join(version.split('.')[:2])}"
        )
    return problems


def main() -> None:
    """Repeat the checks until nothing is wrong or the timeout has passed."""
    module = AnsibleModule(argument_spec=dict(CONNECTION, replica_set={"type": "str", "required": True}), supports_check_mode=True)
    admin = administrator(module).admin
    end = time.monotonic() + module.params["timeout"]
    while True:
        version = state = "unknown"
        try:
            version = admin.command("buildInfo")["version"]
            state, problems = replica_set(admin, module.params["replica_set"])
            problems += durability(admin, state) + settings(admin, version)
        except errors.PyMongoError as error:
            problems = [str(error)]
        if not problems or time.monotonic() > end:
            break
        time.sleep(1)
    if problems:
        module.fail_json(msg=f"MongoDB {version} at {module.params['host']} is {state}: {'; '.join(problems)}")
    log = admin.command("getLog", "startupWarnings")["log"]
    warnings = [json.loads(line).get("msg", line) if line.startswith("{") else line for line in log]
    module.exit_json(changed=False, version=version, state=state, startup_warnings=warnings)


if __name__ == "__main__":
    main()
