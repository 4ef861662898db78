"""The raw PyMongo loop: insert_many of the documents of a topic, which are made before the measurement. Prints documents per second."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from kafka import TopicPartition
from quartet.db_consumer.documents import ImageDocuments
from quartet.kafka import client as kafka_client
from quartet.mongodb import client as mongodb_client
from quartet.runtime.settings import DbConsumerSettings

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
collection = client[chosen.collections.image_database][chosen.collections.image_collection]
collection.find_one()
size = chosen.batch_size
begin = time.monotonic()
for at in range(0, len(documents), size):
    collection.insert_many(documents[at : at + size], ordered=False)
print(len(documents) / (time.monotonic() - begin))
