"""Runs on vm2 with the auditor's read-only access: reads Kafka and the database for the judge.

It shares no code with the product's own `verify`; it relies only on docs/contracts.md. Called as `python - MODE JSON`, prints JSON.
"""

import hashlib
import json
import pathlib
import sys
import time
from typing import Any

import pymongo
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

SETTINGS = json.loads(pathlib.Path("/etc/quartet/spark_jobs/auditor.json").read_text())
SECRETS = pathlib.Path("/etc/quartet/secrets/auditor")
TOPICS, NAMES, GROUPS = SETTINGS["topics"], SETTINGS["collections"], SETTINGS["groups"]
KAFKA = {
    "bootstrap_servers": SETTINGS["kafka"]["bootstrap_servers"],
    "security_protocol": "SASL_SSL",
    "ssl_cafile": SETTINGS["kafka"]["ca_file"],
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_plain_username": "auditor",
    "sasl_plain_password": (SECRETS / "kafka-password").read_text().strip(),
}
# Sequences per query: large responses cost the lab's database much memory.
RANGE = 2_000

Json = dict[str, Any]


def database() -> Any:
    password = (SECRETS / "mongodb-password").read_text().strip()
    ca_file = SETTINGS["mongodb"]["ca_file"]
    return pymongo.MongoClient(SETTINGS["mongodb"]["hosts"], username="auditor", password=password, tls=True, tlsCAFile=ca_file)


def ends(consumer: Any, topic: str) -> dict[str, int]:
    parts = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    return {str(part.partition): offset for part, offset in consumer.end_offsets(parts).items()}


def counts(client: Any, collection: str) -> Json:
    rows = client[NAMES["results_database"]][NAMES[collection]].find()
    return {str(row["producer_id"]): [row["incorrect_count"], row["total_count"], row.get("offsets", {})] for row in rows}


def unread(client: Any, consumer: Any, admin: Any) -> dict[str, int]:
    """Return the unread records of each group and the stream; commits are read before end offsets, so that nothing unread seems read."""
    stream = [row[2] for row in counts(client, "stream_collection").values()]
    committed = admin.list_group_offsets(list(GROUPS.values()))
    end = {name: ends(consumer, TOPICS[name]) for name in ("images", "inferences")}
    left = {}
    for name, group in GROUPS.items():
        topic = "inferences" if name == "inferences" else "images"
        read = {p.partition: o.offset for p, o in committed.get(group, {}).items() if p.topic == TOPICS[topic]}
        left[name] = sum(offset - max(0, read.get(int(number), 0)) for number, offset in end[topic].items())
    # the document of a producer without new images keeps the offsets of its last change
    seen = {number: max((int(offsets.get(number, 0)) for offsets in stream), default=0) for number in end["inferences"]}
    left["stream"] = sum(offset - seen[number] for number, offset in end["inferences"].items())
    return left


def mark() -> Json:
    """The state before a fault."""
    client, consumer = database(), KafkaConsumer(**KAFKA, group_id=None)
    return {
        "ends": {name: ends(consumer, topic) for name, topic in TOPICS.items()},
        "stream": counts(client, "stream_collection"),
        "batch": counts(client, "batch_collection"),
        "model": SETTINGS["model"],
        "topics": TOPICS,
    }


def wait(limit: int, seconds: float, readers: list[str]) -> Json:
    """Wait until these readers together have at most `limit` unread records."""
    end, left, error = time.monotonic() + seconds, {}, ""
    while time.monotonic() < end:
        try:
            client, consumer, admin = database(), KafkaConsumer(**KAFKA, group_id=None), KafkaAdminClient(**KAFKA)
            while time.monotonic() < end:
                left = {name: n for name, n in unread(client, consumer, admin).items() if name in readers}
                if sum(left.values()) <= limit:
                    return {"done": True, "left": left}
                time.sleep(0.5)
        except Exception as failure:  # noqa: BLE001 - servers may be unavailable; the last error is returned
            error = f"{type(failure).__name__} {failure}"
            time.sleep(1)
    return {"done": False, "left": left, "error": error}


def log_since(topic: str, begin: dict[str, int] | None) -> Any:
    """Yield a topic's records from these offsets (None: the first) to its current end."""
    consumer = KafkaConsumer(**KAFKA, group_id=None, max_poll_records=5_000)
    last = ends(consumer, topic)
    begin = begin or dict.fromkeys(last, 0)
    left = {TopicPartition(topic, int(number)): end for number, end in last.items() if end > begin[number]}
    consumer.assign(list(left))
    for part in left:
        consumer.seek(part, begin[str(part.partition)])
    while left:
        for records in consumer.poll(timeout_ms=1_000).values():
            yield from records
        left = {part: end for part, end in left.items() if consumer.position(part) < end}


def clock_error(record: Any) -> int:
    """Milliseconds from an image's arrival at the broker to its capture, as the producer's clock says."""
    return int(dict(record.headers)["captured_at"]) // 1_000 - int(record.timestamp)


def evidence(since: Json, ledgers: list[Any]) -> Json:
    """Everything of these runs: [producer_id, run, high_water] each."""
    client = database()
    prefixes = tuple(f"{producer}-{run}-" for producer, run, _ in ledgers)
    images = [
        [record.key.decode(), hashlib.sha256(record.value).hexdigest(), record.partition, record.offset, clock_error(record)]
        for record in log_since(TOPICS["images"], since["images"])
        if record.key is not None and record.value is not None and record.key.decode(errors="replace").startswith(prefixes)
    ]
    inferences = []
    for record in log_since(TOPICS["inferences"], since["inferences"]):
        if record.key is not None and record.key.decode(errors="replace").startswith(prefixes):
            body = json.loads(record.value)
            inferences.append([body[name] for name in ("id", "model", "image_prediction", "actual_value", "producer_id")])
            inferences[-1] += [record.partition, record.offset]
    letters = [
        [record.key.decode(), json.loads(record.value)["cause"]] for record in log_since(TOPICS["dead_letters"], since["dead_letters"])
    ]
    stored, inferred = [], []
    for producer, run, high_water in ledgers:
        for first in range(0, high_water + RANGE, RANGE):
            where: Json = {"producer_id": producer, "run": run, "sequence": {"$gte": first, "$lt": first + RANGE}}
            rows = client[NAMES["image_database"]][NAMES["image_collection"]].find(where)
            stored += [[row["_id"], hashlib.sha256(row["image"]).hexdigest(), row["payload_sha256"]] for row in rows]
            where = {"id": {"$gte": f"{producer}-{run}-{first:012d}", "$lt": f"{producer}-{run}-{first + RANGE:012d}"}}
            rows = client[NAMES["results_database"]][NAMES["inference_collection"]].find(where)
            inferred += [
                [row["id"], row["model"], row["image_prediction"], row["kafka"]["partition"], row["kafka"]["offset"]] for row in rows
            ]
    return {
        "images": images,
        "inferences": inferences,
        "letters": letters,
        "stored": stored,
        "inferred": inferred,
        "stream": counts(client, "stream_collection"),
        "batch": counts(client, "batch_collection"),
    }


if __name__ == "__main__":
    modes: dict[str, Any] = {"mark": mark, "wait": wait, "evidence": evidence}
    print(json.dumps(modes[sys.argv[1]](**json.loads(sys.argv[2]))))
