"""Count the inferences as the batch job does, and by the database's aggregation, in turn. Prints JSON: seconds, and the columns read.

The cluster, Spark's settings and the code are the installed job's; only the database's name, user and password are given.
"""

import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pymongo
from quartet.mongodb import client as mongodb_client
from quartet_spark import batch as job
from quartet_spark import mongodb_source, spark_session
from quartet_spark.job_settings import BatchSettings

given: dict[str, Any] = json.load(sys.stdin)
unit = Path("/etc/systemd/system/quartet-spark-batch.service").read_text()
os.environ.update(dict(word.split("=", 1) for line in re.findall(r"^Environment=(.*)$", unit, re.MULTILINE) for word in line.split()))
folder = tempfile.TemporaryDirectory()
credentials = Path(folder.name)
secrets = Path("/etc/quartet/secrets")
(credentials / "java-options").write_bytes((secrets / "spark-java-options").read_bytes())
(credentials / "mongodb-password").write_bytes((secrets / "db_consumer-mongodb-password").read_bytes())
os.environ["CREDENTIALS_DIRECTORY"] = str(credentials)

settings = BatchSettings.model_validate({**json.loads(Path("/etc/quartet/spark_jobs/batch.json").read_text()), **given["settings"]})
password = (credentials / "mongodb-password").read_text().strip()
client = mongodb_client.connect(settings.mongodb, password, app="bench")
collection = client[settings.collections.results_database]["images"]
PIPELINE = [
    {"$match": {"model": settings.model, "actual_value": {"$ne": None}}},
    {
        "$group": {
            "_id": "$producer_id",
            "total": {"$sum": 1},
            "incorrect": {"$sum": {"$cond": [{"$ne": ["$image_prediction", "$actual_value"]}, 1, 0]}},
        }
    },
]
begin = time.monotonic()
spark = spark_session.start("quartet-bench", settings.cluster, {"spark.sql.shuffle.partitions": "1"})
started = time.monotonic() - begin
counted: list[float] = []
aggregated: list[float] = []
try:
    # once untimed: the executor starts, and both sides' pages are in the server's cache
    job.read(spark, settings, password)
    for _ in range(given["rounds"]):
        begin = time.monotonic()
        ours = job.read(spark, settings, password)
        middle = time.monotonic()
        # the client's own limit is for the small questions of a service
        with pymongo.timeout(600):
            theirs = {row["_id"]: (row["total"], row["incorrect"]) for row in collection.aggregate(PIPELINE)}
        counted.append(middle - begin)
        aggregated.append(time.monotonic() - middle)
        if {key: tuple(value) for key, value in ours.items()} != theirs:
            sys.exit(f"the counts differ: {ours} and {theirs}")
    source = spark.read.format("mongodb").options(**mongodb_source.options(settings.mongodb, password, settings.collections))
    counts = job.counts(source.schema(mongodb_source.SCHEMA).load(), settings.model)
    plan = counts._jdf.queryExecution().executedPlan().toString()
finally:
    spark.stop()
    folder.cleanup()
scan = re.search(r"BatchScan [^\[]*\[([^\]]*)\].*", plan)
print(
    json.dumps(
        {
            "start": started,
            "counted": counted,
            "aggregated": aggregated,
            "columns": [column.split("#")[0].strip() for column in scan[1].split(",")] if scan else [],
            "scan": scan[0] if scan else plan,
        }
    )
)
