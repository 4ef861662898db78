"""Creates and updates collections, indexes, roles and users over one connection; changes only what differs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mongodb_layout
short_description: Create collections, roles and users of a MongoDB server
description:
  - Compares the existing objects with the given ones, over one connection, and changes only what differs. Never drops anything.
options:
  host: {type: str, required: true, description: Address}
  port: {type: int, required: true, description: Port}
  ca_file: {type: path, required: true, description: Authority that signed the server's certificate}
  admin_password: {type: str, required: true, description: Password of the user admin}
  replica_set: {type: str, required: true, description: Name of the replica set; initiated if there is none}
  member: {type: str, required: true, description: Address of this member in the replica set}
  collections: {type: list, elements: dict, default: [], description: 'database, name, validator, indexes (name, keys, unique)'}
  roles: {type: list, elements: dict, default: [], description: 'name, privileges (database, collection, actions; or cluster, actions)'}
  users:
    description: Users of the database admin
    type: list
    elements: dict
    default: []
    suboptions:
      name: {type: str, required: true, description: Name}
      password: {type: str, required: true, description: Password}
      roles: {type: list, elements: str, required: true, description: 'All roles that the user has, of the database admin'}
  timeout: {type: int, default: 30, description: Seconds to wait for the server}
author: Quartet
"""

EXAMPLES = r"""
- name: Create collections, roles and users
  mongodb_layout:
    host: 192.0.2.1
    port: 27017
    ca_file: /etc/quartet/pki/ca.crt
    admin_password: "{{ password }}"
    replica_set: quartet
    member: 192.0.2.1:27017
    collections:
      - database: kafka_db
        name: image
        indexes: [{name: producer, keys: {producer_id: 1}, unique: false}]
    roles:
      - {name: reader, privileges: [{database: kafka_db, collection: image, actions: [find]}]}
    users:
      - {name: auditor, password: "{{ auditor_password }}", roles: [reader]}
"""

RETURN = r"""
changes: {description: "Objects that were changed, or would be in check mode", type: list, returned: always, elements: str}
"""

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_admin import CONNECTION, administrator, connect

with suppress(ImportError):  # administrator() reports it
    from pymongo import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pymongo import MongoClient
    from pymongo.collection import Collection

USER = {
    "name": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "roles": {"type": "list", "elements": "str", "required": True},
}
NO_SUCH_NAMESPACE = 26
NOT_YET_INITIALIZED = 94


class Layout:
    """The wanted state of one server, and the changes made to reach it."""

    def __init__(self, module: AnsibleModule, client: MongoClient[dict[str, Any]]) -> None:
        self.module = module
        self.client = client
        self.changes: list[str] = []

    def change(self, text: str, act: Callable[[], object]) -> None:
        """Record a change, and apply it unless in check mode."""
        self.changes.append(text)
        if not self.module.check_mode:
            act()

    def replica_set(self, name: str, member: str) -> None:
        """Initiate the replica set with one member if there is none."""
        try:
            self.client.admin.command("replSetGetStatus")
        except errors.OperationFailure as error:
            if error.code != NOT_YET_INITIALIZED:
                raise
            config = {"_id": name, "members": [{"_id": 0, "host": member}]}
            self.change(f"replica set {name}", lambda: self.client.admin.command("replSetInitiate", config))
            self.wait_for_primary()

    def wait_for_primary(self) -> None:
        """Wait until the member accepts writes."""
        for _ in range(60):
            if self.module.check_mode or self.client.admin.command("hello").get("isWritablePrimary"):
                return
            time.sleep(0.5)
        self.module.fail_json(msg="the replica set has no primary after 30 s")

    def collection(self, wanted: dict[str, Any]) -> None:
        """Create or update a collection with its validator and indexes."""
        database = self.client[wanted["database"]]
        name = "{}.{}".format(wanted["database"], wanted["name"])
        options: dict[str, Any] = {}
        if wanted.get("validator"):
            options = {"validator": {"$jsonSchema": wanted["validator"]}, "validationLevel": "strict", "validationAction": "error"}
        found = next(iter(database.list_collections(filter={"name": wanted["name"]})), None)
        if found is None:
            self.change(f"collection {name}", lambda: database.create_collection(wanted["name"], **options))
        elif options and found.get("options", {}).get("validator") != options["validator"]:
            self.change(f"validator of {name}", lambda: database.command("collMod", wanted["name"], **options))
        have = {} if found is None else {index["name"]: index for index in database[wanted["name"]].list_indexes()}
        for index in wanted.get("indexes") or []:
            self.index(database[wanted["name"]], index, have.get(index["name"]))

    def index(self, collection: Collection[dict[str, Any]], wanted: dict[str, Any], there: Mapping[str, Any] | None) -> None:
        """Create an index; fail if another one has its name."""
        keys = list(wanted["keys"].items())
        unique = bool(wanted.get("unique", False))
        if there is None:
            self.change(
                f"index {wanted['name']} of {collection.full_name}",
                lambda: collection.create_index(keys, name=wanted["name"], unique=unique),
            )
        elif list(there["key"].items()) != keys or bool(there.get("unique", False)) != unique:
            self.module.fail_json(
                msg=f"index {wanted['name']} of {collection.full_name} is {dict(there)}, wanted {wanted}: "
                "drop it manually or rename the wanted one"
            )

    def role(self, wanted: dict[str, Any]) -> None:
        """Create or update a role with exactly these privileges."""
        privileges = [
            {
                "resource": {"cluster": True}
                if item.get("cluster")
                else {"db": item["database"], "collection": item.get("collection", "")},
                "actions": sorted(item["actions"]),
            }
            for item in wanted["privileges"]
        ]
        found = self.client.admin.command("rolesInfo", {"role": wanted["name"], "db": "admin"}, showPrivileges=True)["roles"]
        body: dict[str, Any] = {"privileges": privileges, "roles": []}
        if not found:
            self.change("role {}".format(wanted["name"]), lambda: self.client.admin.command("createRole", wanted["name"], **body))
            return
        have = [{"resource": dict(item["resource"]), "actions": sorted(item["actions"])} for item in found[0].get("privileges", [])]
        key = str
        if sorted(have, key=key) != sorted(privileges, key=key):
            self.change(
                "privileges of role {}".format(wanted["name"]), lambda: self.client.admin.command("updateRole", wanted["name"], **body)
            )

    def user(self, wanted: dict[str, Any], log_in: Callable[[str, str], bool]) -> None:
        """Create or update a user with exactly these roles and this password."""
        roles = [{"role": role, "db": "admin"} for role in sorted(wanted["roles"])]
        found = self.client.admin.command("usersInfo", {"user": wanted["name"], "db": "admin"})["users"]
        if not found:
            body = {"pwd": wanted["password"], "roles": roles, "mechanisms": ["SCRAM-SHA-256"]}
            self.change("user {}".format(wanted["name"]), lambda: self.client.admin.command("createUser", wanted["name"], **body))
            return
        have = sorted(({"role": item["role"], "db": item["db"]} for item in found[0].get("roles", [])), key=str)
        if have != sorted(roles, key=str):
            self.change(
                "roles of user {}".format(wanted["name"]), lambda: self.client.admin.command("updateUser", wanted["name"], roles=roles)
            )
        if not log_in(wanted["name"], wanted["password"]):
            body = {"pwd": wanted["password"], "mechanisms": ["SCRAM-SHA-256"]}
            self.change(
                "password of user {}".format(wanted["name"]), lambda: self.client.admin.command("updateUser", wanted["name"], **body)
            )


def main() -> None:
    """Compare, change, report."""
    dicts = {"type": "list", "elements": "dict", "default": []}
    module = AnsibleModule(
        argument_spec=dict(
            CONNECTION,
            replica_set={"type": "str", "required": True},
            member={"type": "str", "required": True},
            collections=dicts,
            roles=dicts,
            users=dict(dicts, options=USER, no_log=False),
        ),
        supports_check_mode=True,
    )
    params = module.params
    client = administrator(module)

    def log_in(user: str, password: str) -> bool:
        try:
            with connect(params, user, password) as other:
                other.admin.command("connectionStatus")
            return True
        except errors.OperationFailure:
            return False

    layout = Layout(module, client)
    try:
        layout.replica_set(params["replica_set"], params["member"])
        for wanted in params["collections"]:
            layout.collection(wanted)
        for wanted in params["roles"]:
            layout.role(wanted)
        for wanted in params["users"]:
            layout.user(wanted, log_in)
    except errors.PyMongoError as error:
        begun = layout.changes[-1] if layout.changes else "a comparison"
        module.fail_json(msg=f"{params['host']}:{params['port']} refused {begun}: {error}")
    module.exit_json(changed=bool(layout.changes), changes=layout.changes)


if __name__ == "__main__":
    main()
