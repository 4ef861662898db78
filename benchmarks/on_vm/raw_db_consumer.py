"""The raw PyMongo loop: bulks of the documents of a topic, made before the clock runs. Prints two numbers of documents a second.

The first is of the bulks that the DB consumer writes (upserts with $setOnInsert), the second of insert_many.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pymongo
from kafka import TopicPartition
from quartet import kafka_client, mongodb_client
from quartet.db_consumer import ImageDocuments
from quartet.settings import DbConsumerSettings

given: dict[str, Any] = json.load(sys.stdin)
chosen = DbConsumerSettings.model_validate(given["settings"])
secrets = Path("/etc/quartet/secrets")
reader = kafka_client.connect_reader(chosen.kafka, (secrets / "db_consumer-kafka-password").read_text().strip())
topic = chosen.topics.images
partitions = [TopicPartition(topic, number) for number in sorted(reader.partitions_for_topic(topic))]
reader.assign(partitions)
reader.seek_to_beginning()
documents: list[dict[str, Any]] = []
contract = ImageDocuments()
while len(documents) < given["count"]:
    for partition, records in reader.poll(timeout_ms=1000).items():
        for record in records:
            origin = {"topic": topic, "topic_id": "0", "partition": partition.partition, "offset": record.offset}
            documents.append(contract.document(record, origin))
reader.close()
client = mongodb_client.connect(chosen.mongodb, (secrets / "db_consumer-mongodb-password").read_text().strip(), app="bench")
database = client[chosen.collections.image_database]
size = chosen.batch_size
database[chosen.collections.image_collection].find_one()


def rate(collection: str, *, upserts: bool) -> float:
    """Write all documents to a collection and return how many a second."""
    target = database[collection]
    begin = time.monotonic()
    for at in range(0, len(documents), size):
        rows = documents[at : at + size]
        if upserts:
            target.bulk_write([pymongo.UpdateOne({"_id": row["_id"]}, {"$setOnInsert": row}, upsert=True) for row in rows], ordered=False)
        else:
            target.insert_many(rows, ordered=False)
    return len(documents) / (time.monotonic() - begin)


print(rate(given["collections"][0], upserts=True), rate(given["collections"][1], upserts=False))
