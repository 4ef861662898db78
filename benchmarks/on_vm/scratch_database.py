"""Recreate or drop a database with the pipeline's collections, validators and indexes: make|drop DATABASE USER."""

import json
import sys
from typing import Any

import pymongo
from pymongo import errors

given: dict[str, Any] = json.load(sys.stdin)
verb, name, user = sys.argv[1:]
client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
    given["host"], username="admin", password=given["admin"], tls=True, tlsCAFile="/etc/quartet/pki/ca.crt"
)
client.drop_database(name)
for database, collection in (("kafka_db", "image"), ("team5_vm3_db", "images")):
    if verb == "make":
        options = next(client[database].list_collections(filter={"name": collection}))["options"]
        made = client[name].create_collection(collection, **{key: value for key, value in options.items() if key.startswith("valid")})
        for index, about in client[database][collection].index_information().items():
            if index != "_id_":
                made.create_index(about["key"], name=index)
try:
    client.admin.command("dropUser", user)
except errors.OperationFailure as error:
    if "not found" not in str(error).lower() and error.code != 11:
        raise
if verb == "make":
    client.admin.command("createUser", user, pwd=given["user"], roles=[{"role": "readWrite", "db": name}], mechanisms=["SCRAM-SHA-256"])
