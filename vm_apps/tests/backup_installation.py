"""An installation to back up: servers with the users and rights that the inventory gives, documents, records and committed offsets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import bson
from computed import computed
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata
from quartet import cli
from quartet.backup import restore
from quartet.backup.patience import until_available
from quartet.backup.shelf import Shelf
from quartet.kafka import client as kafka_client
from real_servers import PASSWORD, Broker, Database, broker, database, mongod_program
from tls_server import Authority

INVENTORY = computed("lab", "{'acls': kafka_acls, 'roles': mongodb_roles}")["vm1"]
USERS = {
    "db_consumer": ["quartet_db_consumer"],
    "spark": ["quartet_spark"],
    "auditor": ["quartet_auditor"],
    "backup": ["quartet_backup"],
    "restore": ["quartet_restore"],
}
GROUPS = {"images": "db-consumer-images", "inferences": "db-consumer-inferences", "inference": "inference-63d52f7df596"}
COMMITTED = {
    "db-consumer-images": ("images", [10, 20, 5]),
    "db-consumer-inferences": ("inferences", [7, 0, 3]),
    "a-user": ("images", [1, 1, 1]),
}
VALIDATOR = {"$jsonSchema": {"bsonType": "object", "required": ["_id", "payload_sha256"]}}


@dataclass
class Installation:
    """The servers, and the backups' folder of one test."""

    database: Database
    broker: Broker
    folder: Path
    authority: Authority
    mongod: str

    def settings(self, **changes: Any) -> Path:
        chosen = {
            "kafka": {**self.broker.settings.model_dump(), "user": "backup"},
            "mongodb": {"hosts": [self.database.address], "user": "backup", "ca_file": str(self.authority.file)},
            "topics": {"images": "images", "inferences": "inferences", "dead_letters": "dead-letters"},
            "groups": GROUPS,
            "collections": {
                "image_database": "kafka_db",
                "image_collection": "image",
                "results_database": "team5_vm3_db",
                "inference_collection": "images",
                "batch_collection": "incorrect_inference_results",
                "stream_collection": "incorrect_inference_stream_results",
            },
            "inventory_id": "a1b2c3",
            "model": "63d52f7df596",
            "directory": str(self.folder / "backups"),
            "keep": 2,
            "ledgers": str(self.folder / "ledgers.json"),
            "mongod": self.mongod,
            "scratch_directory": str(self.folder / "scratch"),
            "roles": INVENTORY["roles"],
            "users": [{"name": name, "roles": roles} for name, roles in USERS.items()],
            "metrics_directory": str(self.folder),
            "credentials_directory": str(self.folder / "credentials"),
        }
        file = self.folder / "backup.json"
        file.write_text(json.dumps(chosen | changes))
        return file

    def run(self, *words: str, **changes: Any) -> int:
        return cli.main([*words, "--config", str(self.settings(**changes))])

    def shelf(self) -> Shelf:
        return Shelf(self.folder / "backups")


@contextmanager
def running_installation(folder: Path) -> Iterator[Installation]:
    """Run the servers and fill them."""
    authority = Authority(folder / "ca")
    program = mongod_program(folder)
    with broker(folder / "kafka", authority) as kafka, database(folder / "mongodb", authority, program) as mongodb:
        mongodb.set_up(INVENTORY["roles"], USERS)
        fill_database(mongodb)
        kafka.create_topics({"images": 3, "inferences": 3, "dead-letters": 1})
        kafka.create_users(INVENTORY["acls"], list(USERS))
        fill_topics(kafka)
        yield Installation(mongodb, kafka, folder, authority, program)


def prepared(servers: Installation, folder: Path) -> Installation:
    """Return the servers with a folder of its own, the groups at the offsets COMMITTED."""
    (folder / "backups").mkdir(parents=True)
    (folder / "credentials").mkdir()
    for name in ("kafka-password", "mongodb-password"):
        (folder / "credentials" / name).write_text(PASSWORD)
    commit(servers.broker)
    return Installation(servers.database, servers.broker, folder, servers.authority, servers.mongod)


def take_backup(installation: Installation) -> Path:
    assert installation.run("backup") == 0
    return installation.shelf().find("newest")


def fill_database(mongodb: Database) -> None:
    images = mongodb.admin["kafka_db"]
    images.create_collection("image", validator=VALIDATOR)
    images["image"].create_index([("producer_id", 1), ("run", -1), ("sequence", 1)], name="producer_run_sequence")
    # in another order than that of _id
    images["image"].insert_many(
        {"_id": f"101-first-{n * 7 % 3001:012}", "image": bson.Binary(bytes([n % 256]) * 3072), "payload_sha256": "x", "producer_id": 101}
        for n in range(3001)
    )
    results = mongodb.admin["team5_vm3_db"]
    results["images"].insert_many({"_id": f"101-first-{n:012}/63d52f7df596", "confidence": n / 7} for n in range(50))
    results.create_collection("incorrect_inference_results")
    total = {"_id": 101, "producer_id": 101, "total_count": 50, "incorrect_count": 3, "model": "63d52f7df596"}
    results["incorrect_inference_stream_results"].insert_one({**total, "offsets": {"0": 7, "1": bson.Int64(0), "2": 3}})


def fill_topics(kafka: Broker) -> None:
    producer = kafka_client.connect_producer(kafka.settings, PASSWORD, linger_ms=5)
    for topic in ("images", "inferences"):
        for n in range(90):
            producer.send(topic, key=str(n).encode(), value=b"a record", partition=n % 3)
    producer.flush(30)
    producer.close()


def commit(kafka: Broker, add: int = 0) -> None:
    for group, (topic, offsets) in COMMITTED.items():
        wanted = {TopicPartition(topic, p): OffsetAndMetadata(offset + add, "", -1) for p, offset in enumerate(offsets)}
        # the first commit makes Kafka create the topic of the commits
        until_available(partial(restore.commit_offsets, kafka.admin, group, wanted))


def committed(kafka: Broker, group: str) -> dict[int, int]:
    return {p.partition: found.offset for p, found in kafka.admin.list_group_offsets([group])[group].items()}


def contents(server: Database) -> list[Any]:
    found = []
    for name in ("kafka_db", "team5_vm3_db"):
        for collection in sorted(server.admin[name].list_collections(), key=lambda c: str(c["name"])):
            target = server.admin[name][collection["name"]]
            found.append([collection["name"], collection["options"], list(target.find().sort("_id", 1)), list(target.list_indexes())])
    return found


def lent(installation: Installation) -> list[str]:
    return ["--user", "restore", "--credentials", str(installation.folder / "credentials")]
