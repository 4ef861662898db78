"""The module mongodb_layout of the role mongodb, with a fake server: what it changes, and when it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import errors
from role_modules import call, load_module

CONNECTION = {"host": "192.0.2.1", "port": 27017, "ca_file": "/nowhere/ca.crt", "admin_password": "secret", "replica_set": "rs"}
MEMBER = "192.0.2.1:27017"


class Collection:
    """Holds indexes."""

    def __init__(self, full_name: str) -> None:
        self.full_name = full_name
        self.indexes: list[dict[str, Any]] = []

    def list_indexes(self) -> list[dict[str, Any]]:
        return self.indexes

    def create_index(self, keys: list[tuple[str, int]], *, name: str, unique: bool) -> None:
        self.indexes.append({"name": name, "key": dict(keys), **({"unique": True} if unique else {})})


class Database:
    """Holds collections and, as admin, what the server answers to commands."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.collections: dict[str, Collection] = {}
        self.options: dict[str, Any] = {}
        self.replica_set: dict[str, Any] = {}
        self.roles: dict[str, dict[str, Any]] = {}
        self.users: dict[str, dict[str, Any]] = {}

    def __getitem__(self, name: str) -> Collection:
        return self.collections.setdefault(name, Collection(f"{self.name}.{name}"))

    def list_collections(self, *, filter: dict[str, str]) -> list[dict[str, Any]]:  # noqa: A002  (pymongo's name)
        return [{"name": name, "options": self.options[name]} for name in self.options if name == filter["name"]]

    def create_collection(self, name: str, **options: Any) -> None:
        self.options[name] = options

    def command(self, name: str, value: Any = None, **body: Any) -> dict[str, Any]:
        match name:
            case "replSetGetStatus" if not self.replica_set:
                raise errors.OperationFailure("no replset config has been received", 94)
            case "replSetInitiate":
                self.replica_set = value
            case "hello":
                return {"isWritablePrimary": True}
            case "collMod":
                self.options[value] = body
            case "rolesInfo":
                return {"roles": [self.roles[value["role"]]] if value["role"] in self.roles else []}
            case "createRole" | "updateRole":
                self.roles[value] = body
            case "usersInfo":
                return {"users": [self.users[value["user"]]] if value["user"] in self.users else []}
            case "createUser" | "updateUser":
                self.users.setdefault(value, {}).update(body)
        return {}


class Server(dict[str, Database]):
    """A client whose databases are there when they are asked for."""

    def __missing__(self, name: str) -> Database:
        self[name] = Database(name)
        return self[name]

    @property
    def admin(self) -> Database:
        return self["admin"]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def lay_out(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    module = load_module("mongodb_layout")

    @contextmanager
    def connect(_: Any, user: str, password: str) -> Iterator[Server]:
        if server.admin.users[user]["pwd"] != password:
            raise errors.OperationFailure("Authentication failed", 18)
        yield server

    monkeypatch.setattr(module, "administrator", lambda _: server)
    monkeypatch.setattr(module, "connect", connect)

    def lay_out(*, check: bool = False, **arguments: Any) -> dict[str, Any]:
        return call(module, capsys, {**CONNECTION, "member": MEMBER, **arguments}, check=check)

    return lay_out


INDEX = {"name": "producer", "keys": {"producer_id": 1, "sequence": -1}, "unique": True}
COLLECTION = {"database": "kafka_db", "name": "image", "validator": {"required": ["_id"]}, "indexes": [INDEX]}
ROLE = {"name": "reader", "privileges": [{"database": "kafka_db", "collection": "image", "actions": ["find"]}]}
USER = {"name": "auditor", "password": "pw-of-auditor", "roles": ["reader"]}
EVERYTHING = {"collections": [COLLECTION], "roles": [ROLE], "users": [USER]}


def test_what_is_missing_is_made_once(lay_out: Any, server: Server) -> None:
    names = ["replica set rs", "collection kafka_db.image", "index producer of kafka_db.image", "role reader", "user auditor"]
    assert lay_out(**EVERYTHING, check=True)["changes"] == names
    assert not server.admin.users
    assert lay_out(**EVERYTHING)["changes"] == names
    assert server.admin.replica_set == {"_id": "rs", "members": [{"_id": 0, "host": MEMBER}]}
    assert server["kafka_db"]["image"].indexes == [{"name": "producer", "key": {"producer_id": 1, "sequence": -1}, "unique": True}]
    assert lay_out(**EVERYTHING)["changes"] == []


def test_a_role_may_have_rights_on_the_server(lay_out: Any, server: Server) -> None:
    role = {"name": "watcher", "privileges": [{"cluster": True, "actions": ["serverStatus", "replSetGetStatus"]}]}
    assert lay_out(roles=[role])["changes"] == ["replica set rs", "role watcher"]
    (privilege,) = server.admin.roles["watcher"]["privileges"]
    assert privilege == {"resource": {"cluster": True}, "actions": ["replSetGetStatus", "serverStatus"]}
    assert lay_out(roles=[role])["changes"] == []


def test_what_differs_is_changed_and_nothing_else(lay_out: Any, server: Server) -> None:
    lay_out(**EVERYTHING)
    result = lay_out(
        collections=[{**COLLECTION, "validator": {"required": ["_id", "data"]}}],
        roles=[{**ROLE, "privileges": [{**ROLE["privileges"][0], "actions": ["find", "insert"]}]}],
        users=[{**USER, "password": "pw-changed", "roles": ["reader", "writer"]}],
    )
    assert result["changes"] == [
        "validator of kafka_db.image",
        "privileges of role reader",
        "roles of user auditor",
        "password of user auditor",
    ]
    assert server["kafka_db"].options["image"]["validator"] == {"$jsonSchema": {"required": ["_id", "data"]}}
    assert server.admin.users["auditor"]["pwd"] == "pw-changed"


@pytest.mark.parametrize("other", [{"unique": False}, {"keys": {"sequence": -1, "producer_id": 1}}], ids=["unique", "order"])
def test_another_index_of_the_same_name_is_refused(lay_out: Any, other: dict[str, Any]) -> None:
    lay_out(**EVERYTHING)
    result = lay_out(collections=[{**COLLECTION, "indexes": [{**INDEX, **other}]}])
    assert result["failed"]
    assert "index producer of kafka_db.image is" in result["msg"]


def test_a_refusal_of_the_server_is_told_with_what_was_begun(lay_out: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise errors.OperationFailure("not authorized", 13)

    monkeypatch.setattr(server["kafka_db"], "create_collection", refuse)
    assert "refused collection kafka_db.image: not authorized" in lay_out(collections=[COLLECTION])["msg"]
