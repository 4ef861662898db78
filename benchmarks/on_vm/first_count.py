"""Print when the documents of `incorrect_inference_results` were written, in seconds since the epoch."""

import json
from pathlib import Path

from quartet.mongodb import client as mongodb_client
from quartet.runtime.settings import MongoDB

settings = json.loads(Path("/etc/quartet/spark_jobs/auditor.json").read_text())
password = Path("/etc/quartet/secrets/auditor/mongodb-password").read_text().strip()
client = mongodb_client.connect(MongoDB.model_validate(settings["mongodb"]), password, app="bench")
names = settings["collections"]
print(min(row["updated_at"] for row in client[names["results_database"]][names["batch_collection"]].find()) / 1e6)
