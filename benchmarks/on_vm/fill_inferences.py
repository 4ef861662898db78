"""Fill the scratch database's collection `images` with inferences of 8 producers: a tenth wrong, a hundredth of another model."""

import json
import sys
from pathlib import Path
from typing import Any

from bson import Int64
from quartet.contracts.ids import image_id
from quartet.contracts.labels import LABELS
from quartet.mongodb import client as mongodb_client
from quartet.runtime.settings import MongoDB

given: dict[str, Any] = json.load(sys.stdin)
password = Path("/etc/quartet/secrets/db_consumer-mongodb-password").read_text().strip()
collection = mongodb_client.connect(MongoDB.model_validate(given["mongodb"]), password, app="bench")[given["database"]]["images"]
batch = []
for number in range(given["count"]):
    producer_id, sequence = 1 + number % 8, number // 8
    image = image_id(producer_id, "bench", sequence)
    model = given["model"] if number % 100 else "0" * 12
    label = LABELS[number % 10]
    batch.append(
        {
            "_id": f"{image}/{model}",
            "id": image,
            "image_prediction": label if number % 11 else LABELS[(number + 1) % 10],
            "actual_value": label,
            "producer_id": producer_id,
            "confidence": 0.5,
            "model": model,
            "captured_at": Int64(1),
            "inferred_at": Int64(2),
            "kafka": {"topic": "inferences", "topic_id": "0", "partition": 0, "offset": Int64(number)},
        }
    )
    if len(batch) == 5_000:
        collection.insert_many(batch, ordered=False)
        batch = []
if batch:
    collection.insert_many(batch, ordered=False)
print(collection.estimated_document_count())
