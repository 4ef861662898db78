"""Whether every app can log in and read after a restore: users and roles as the inventory has them, on the server of a drill.

The passwords are drawn for the drill: the apps' own are not in a backup and not on this machine.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from pymongo import errors as mongo_errors

from quartet.backup.scratch_server import Client, ScratchServer
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.settings import DatabaseRole, DatabaseUser, Privilege

_MECHANISMS = ["SCRAM-SHA-256"]


def create_administrator(server: ScratchServer) -> Client:
    """Create the first user and return its client; after that nobody gets in without a password."""
    password = secrets.token_urlsafe()
    with server.connect() as client:
        client.admin.command("createUser", "admin", pwd=password, roles=["root"], mechanisms=_MECHANISMS)
    return server.connect("admin", password)


def check_log_ins(server: ScratchServer, administrator: Client, roles: Sequence[DatabaseRole], users: Sequence[DatabaseUser]) -> list[str]:
    """Create roles and users, log in as each user, and read each collection that its roles let it read. Return the users' names.

    Raises:
        QuartetError: FAILED, naming the user, and the collection that it cannot read.
    """
    privileges = {role.name: role.privileges for role in roles}
    for role in roles:
        rows = [{"resource": _resource(privilege), "actions": privilege.actions} for privilege in role.privileges]
        _ask(administrator, f"role {role.name} cannot be made", "createRole", role.name, privileges=rows, roles=[])
    for user in users:
        password = secrets.token_urlsafe()
        wanted = [{"role": role, "db": "admin"} for role in user.roles]
        _ask(administrator, f"user {user.name} cannot be made", "createUser", user.name, pwd=password, roles=wanted, mechanisms=_MECHANISMS)
        with server.connect(user.name, password) as client:
            _ask(client, f"user {user.name} cannot log in", "connectionStatus")
            for privilege in (privilege for role in user.roles for privilege in privileges.get(role, [])):
                if privilege.collection and "find" in privilege.actions:
                    _read(client, user.name, privilege.database, privilege.collection)
    return [user.name for user in users]


def _resource(privilege: Privilege) -> dict[str, Any]:
    return {"cluster": True} if privilege.cluster else {"db": privilege.database, "collection": privilege.collection}


def _ask(client: Client, problem: str, command: str, *words: Any, **options: Any) -> None:
    try:
        client.admin.command(command, *words, **options)
    except mongo_errors.PyMongoError as error:
        raise QuartetError(ExitCode.FAILED, f"after the restore {problem}: {error}") from None


def _read(client: Client, user: str, database: str, collection: str) -> None:
    try:
        client[database][collection].find_one()
    except mongo_errors.PyMongoError as error:
        raise QuartetError(ExitCode.FAILED, f"after the restore user {user} cannot read {database}.{collection}: {error}") from None
