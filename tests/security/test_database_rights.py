"""What each app may do in the database, cell by cell: its own password, the real collections, calls that change nothing.

The table says what docs/refusals.md says; it is not read from the playbooks.
"""

from __future__ import annotations

import json
import time

import pytest
from security.evidence import refused
from security.lab import CA, DATABASE_USERS, MONGODB, journal, python_on

COLLECTIONS = (
    "kafka_db.image",
    "team5_vm3_db.images",
    "team5_vm3_db.incorrect_inference_results",
    "team5_vm3_db.incorrect_inference_stream_results",
)
ACTIONS = ("find", "insert", "update", "remove", "collMod", "createIndex", "createCollection", "dropCollection", "dropDatabase")
RIGHTS = {
    ("db_consumer", "kafka_db.image"): {"find", "insert"},
    ("db_consumer", "team5_vm3_db.images"): {"find", "insert"},
    ("spark", "team5_vm3_db.images"): {"find"},
    ("spark", "team5_vm3_db.incorrect_inference_results"): {"find", "insert", "update", "remove"},
    ("spark", "team5_vm3_db.incorrect_inference_stream_results"): {"find", "insert", "update", "remove"},
    **{("console", collection): {"find"} for collection in COLLECTIONS},
    **{("auditor", collection): {"find"} for collection in COLLECTIONS},
    # of the images it sees the number alone
    ("exporter", "kafka_db.image"): set(),
    **{("exporter", collection): {"find"} for collection in COLLECTIONS[1:]},
}
ELSEWHERE = (
    "insert into a database of its own",
    "make a user",
    "make a role",
    "read the users",
    "read the log",
    "read the server's options",
    "write by an aggregation",
)

# A document that the validator refuses, filters that match nothing, collections that are not there: allowed calls change nothing.
_TRIES = """
import pathlib, pymongo
from pymongo.errors import OperationFailure

client = pymongo.MongoClient(order["mongodb"], tls=True, tlsCAFile=order["ca"], username=order["user"],
                             password=pathlib.Path(order["password"]).read_text().strip(), authMechanism="SCRAM-SHA-256", directConnection=True)
answer = {"cells": {}, "elsewhere": {}}
nothing = {"_id": "sec-nothing"}

def tried(call):
    try:
        call()
        return [0, ""]
    except OperationFailure as error:
        return [error.code, str(error)[:400]]

for name in order["collections"]:
    database, collection = client[name.split(".")[0]], client[name.split(".")[0]][name.split(".")[1]]
    calls = {
        "find": lambda: collection.find_one(nothing),
        "insert": lambda: collection.insert_one({"_id": "sec-refused-by-the-validator"}),
        "update": lambda: collection.update_one(nothing, {"$set": {"sec": 1}}),
        "remove": lambda: collection.delete_one(nothing),
        "collMod": lambda: database.command("collMod", collection.name, validationLevel="strict"),
        "createIndex": lambda: collection.create_index("sec"),
        "createCollection": lambda: database.create_collection("sec_unheard_of", check_exists=False),
        "dropCollection": lambda: database.command("drop", "sec_unheard_of"),
        "dropDatabase": lambda: client.drop_database("sec_unheard_of"),
    }
    answer["cells"][name] = {action: tried(calls[action]) for action in order["actions"]}
calls = {
    "insert into a database of its own": lambda: client["sec_unheard_of"]["sec"].insert_one({}),
    "make a user": lambda: client.admin.command("createUser", "sec", pwd="x", roles=["root"]),
    "make a role": lambda: client.admin.command("createRole", "sec", privileges=[], roles=["root"]),
    "read the users": lambda: client.admin.command("usersInfo", 1, showCredentials=True),
    "read the log": lambda: client.admin.command("getLog", "global"),
    "read the server's options": lambda: client.admin.command("getCmdLineOpts"),
    "write by an aggregation": lambda: list(client["team5_vm3_db"]["images"].aggregate([{"$match": nothing}, {"$out": {"db": "sec_unheard_of", "coll": "x"}}])),
}
answer["elsewhere"] = {name: tried(calls[name]) for name in order["elsewhere"]}
answer["databases"] = client.list_database_names()
"""


@pytest.mark.parametrize("user", DATABASE_USERS)
def test_each_app_may_do_what_it_needs_and_nothing_else(user: str) -> None:
    since = time.time()
    found = python_on(
        "vm2",
        "spark_jobs",
        _TRIES,
        mongodb=MONGODB,
        ca=CA,
        user=user,
        password=DATABASE_USERS[user],
        collections=COLLECTIONS,
        actions=ACTIONS,
        elsewhere=ELSEWHERE,
    )
    # The server lists to each user the databases alone in which it has a right.
    assert set(found["databases"]) == {collection.split(".")[0] for who, collection in RIGHTS if who == user}
    denials = {
        json.loads(line)["attr"]["error"]["errmsg"] for line in journal("vm1", "mongod", since) if '"Checking authorization failed"' in line
    }
    wrong = []
    for collection, cells in found["cells"].items():
        for action, (code, message) in cells.items():
            may = action in RIGHTS.get((user, collection), set())
            # 121: allowed, and then refused by the collection's validator
            if (code == 13) == may or (may and code not in (0, 121)):
                wrong.append(f"{action} {collection}: {code} {message}")
            elif not may and action in ("find", "insert", "update", "remove"):
                refused(f"database: {user}: {action} {collection}", "mongod: role", logged(message, denials))
    for name, (code, message) in found["elsewhere"].items():
        if code != 13:
            wrong.append(f"{name}: {code} {message}")
        else:
            refused(f"database: {user}: {name}", "mongod: role", logged(message, denials))
    assert not wrong


def logged(message: str, denials: set[str]) -> str:
    """Return the line of the server's own log that says what it answered."""
    answered = message.split(", lsid:", maxsplit=1)[0]
    line = next((line for line in denials if line.startswith(answered)), None)
    assert line is not None, f"the server's log says nothing of {answered}"
    return line
