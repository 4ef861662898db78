"""kafka-python's own loop, with the producer's records and client settings: sends all, waits for all. Prints images per second."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from kafka.partitioner import DefaultPartitioner
from quartet.contracts.image import Image, encode_image
from quartet.kafka import client as kafka_client
from quartet.producer import app
from quartet.producer.slices import SlicedImages
from quartet.runtime.settings import ProducerSettings

given: dict[str, Any] = json.load(sys.stdin)
chosen = ProducerSettings.model_validate(given["settings"])
images = SlicedImages(chosen)
records = []
for sequence in range(chosen.count):
    payload, label = images[sequence]
    image = Image(
        producer_id=chosen.producer_id,
        run=chosen.run,
        sequence=sequence,
        actual_value=label,
        captured_at=time.time_ns() // 1000,
        payload=payload,
    )
    records.append(encode_image(image))
password = Path("/etc/quartet/secrets/producer-kafka-password").read_text().strip()
client = kafka_client.connect_producer(chosen.kafka, password, linger_ms=app._LINGER_MS)
client.config["partitioner"] = DefaultPartitioner()
topic = chosen.topics.images
client.send(topic, key=records[0][0], value=records[0][1], headers=records[0][2]).get(30)
begin = time.monotonic()
futures = [client.send(topic, key=key, value=value, headers=headers) for key, value, headers in records]
for future in futures:
    future.get(60)
print(len(futures) / (time.monotonic() - begin))
client.close()
