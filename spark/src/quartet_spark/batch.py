"""The batch job: counts the inferences in the database per producer, and writes documents, a CSV and a chart.

The database has one document per id and model, the first in log order, so nothing is counted twice here.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import functions as f
from quartet.counting.totals import Totals
from quartet.mongodb import client as mongodb_client
from quartet.runtime import textfile
from quartet.runtime.settings import password

from quartet_spark import mongodb_source, results_files, spark_session
from quartet_spark.job_settings import BatchSettings
from quartet_spark.results import Results

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

log = logging.getLogger("quartet.spark.batch")


def counts(inferences: DataFrame, model: str) -> DataFrame:
    """Count the labelled inferences of a model: `producer_id, total_count, incorrect_count`."""
    counted = inferences.where((f.col("model") == model) & f.col("actual_value").isNotNull())
    incorrect = f.sum((f.col("image_prediction") != f.col("actual_value")).cast("long"))
    return counted.groupBy("producer_id").agg(f.count("*").alias("total_count"), incorrect.alias("incorrect_count"))


def read(spark: SparkSession, settings: BatchSettings, secret: str) -> dict[int, Totals]:
    """Return each producer's totals."""
    source = spark.read.format("mongodb").options(**mongodb_source.options(settings.mongodb, secret, settings.collections))
    rows = counts(source.schema(mongodb_source.SCHEMA).load(), settings.model).collect()
    return {row.producer_id: Totals(row.total_count, row.incorrect_count) for row in rows}


def run(settings: BatchSettings) -> None:
    """Count once and write the results.

    Raises:
        Unavailable: the database does not answer.
        QuartetError: an error that waiting does not fix.
    """
    began = time.monotonic()
    secret = password("mongodb-password")
    output = Path(settings.output_directory)
    output.mkdir(parents=True, exist_ok=True)
    with mongodb_client.connect(settings.mongodb, secret, app="quartet-spark-batch") as client:
        # before the seconds that Spark needs to start, so that an unavailable database is reported at once
        mongodb_client.server(client)
        spark = spark_session.start("quartet-batch", settings.cluster, {"spark.sql.shuffle.partitions": "1"})
        try:
            totals = read(spark, settings, secret)
        finally:
            spark_session.stop(spark)
        collection = client[settings.collections.results_database][settings.collections.batch_collection]
        results = Results(collection, settings.model)
        results.write(totals)
        gone = results.delete_others(totals)
    results_files.write_csv(output, totals, settings.model)
    results_files.write_chart(output, totals, settings.model)
    log.info("counted %d producers; %d without inferences were removed", len(totals), gone)
    for producer_id, count in sorted(totals.items()):
        log.info("producer %d: %d of %d incorrect", producer_id, count.incorrect, count.total)
    if settings.metrics_directory is not None:
        textfile.record_success(settings.metrics_directory, "batch", duration_seconds=time.monotonic() - began)
