"""The database: no plaintext, nobody without credentials, no other way to log in than SCRAM-SHA-256."""

from __future__ import annotations

import time

from security.evidence import refused
from security.lab import CA, DATABASE_USERS, MONGODB, lines_of, python_on

_LOGINS = """
import pathlib, pymongo
from pymongo.errors import PyMongoError
from quartet.mongodb import client as mongodb_client
from quartet.runtime.errors import QuartetError
from quartet.runtime.settings import MongoDB

password = pathlib.Path(order["password"]).read_text().strip()
tls = {"tls": True, "tlsCAFile": order["ca"]}
logins = {
    "in plaintext": {"tls": False, "username": "db_consumer", "password": password},
    "without credentials": tls,
    "with a wrong password": {**tls, "username": "db_consumer", "password": "wrong"},
    "as an unknown user": {**tls, "username": "nobody", "password": "wrong"},
    "with SCRAM-SHA-1": {**tls, "username": "db_consumer", "password": password, "authMechanism": "SCRAM-SHA-1"},
    "with PLAIN": {**tls, "username": "db_consumer", "password": password, "authMechanism": "PLAIN"},
    "with another database's users": {**tls, "username": "db_consumer", "password": password, "authSource": "kafka_db"},
    "with everything": {**tls, "username": "db_consumer", "password": password, "authMechanism": "SCRAM-SHA-256"},
}
answer = {}
for name, options in logins.items():
    client = pymongo.MongoClient(order["mongodb"], serverSelectionTimeoutMS=3000, directConnection=True, **options)
    try:
        client["kafka_db"]["image"].find_one({}, {"_id": 1})
        answer[name] = [0, "read"]
    except PyMongoError as error:
        answer[name] = [getattr(error, "code", None), f"{type(error).__name__} {error}"[:200]]
    client.close()
try:
    settings = MongoDB(hosts=[order["mongodb"]], user="db_consumer", ca_file=order["ca"])
    with mongodb_client.translate_errors():
        mongodb_client.connect(settings, "wrong", app="sec").admin.command("ping")
    answer["quartet"] = [0, ""]
except QuartetError as error:
    answer["quartet"] = [int(error.code), str(error)]
"""


# What the server writes into its own log; of a mechanism that is not enabled (code 334) and of no login at all it writes nothing.
_LOGGED = {
    "with a wrong password": r"Authentication failed.*db_consumer.*storedKey mismatch",
    "as an unknown user": r'Authentication failed.*Could not find user \\"nobody\\"',
    "with another database's users": r'Authentication failed.*Could not find user \\"db_consumer\\" for db \\"kafka_db\\"',
}
_CODES = (13, 18, 334)


def test_strangers_are_refused() -> None:
    since = time.time()
    answer = python_on("vm2", "db_consumer", _LOGINS, mongodb=MONGODB, ca=CA, password=DATABASE_USERS["db_consumer"])
    assert answer.pop("with everything") == [0, "read"]
    code, message = answer.pop("quartet")
    assert code == 77, message
    assert "does not accept the user or the password" in message
    code, message = answer.pop("in plaintext")
    assert code != 0, message
    # of a connection that begins without TLS
    (line,) = lines_of("vm1", "mongod", since, r"only allow SSL connections")
    refused("database in plaintext", "mongod: TLS", line)
    for name, (code, message) in answer.items():
        assert code in _CODES, (name, code, message)
        (line,) = lines_of("vm1", "mongod", since, _LOGGED[name]) if name in _LOGGED else (message,)
        refused(f"database {name}", "mongod: access control", line)
