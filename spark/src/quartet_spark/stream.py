"""The stream job: counts the topic `inferences` per producer as it grows, and keeps the documents up to date.

Exact after any redelivery: Spark replays a batch with the same offsets on the same state, the state knows every
sequence that was counted, and what is written is absolute. The documents carry the offsets they count up to.
"""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quartet.counting.totals import Totals
from quartet.mongodb.client import connect
from quartet.runtime.errors import ExitCode, QuartetError, Unavailable
from quartet.runtime.settings import password

from quartet_spark import checkpoint, failures, kafka_source, producer_state, records, spark_session, stream_metrics
from quartet_spark.job_settings import StreamSettings
from quartet_spark.progress_listener import ProgressListener
from quartet_spark.results import Results

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery
    from quartet.runtime.service import Service

log = logging.getLogger("quartet.spark.stream")

CHECK_SECONDS = 1.0
RETRY_SECONDS = 5.0
STATE = {
    "spark.sql.streaming.stateStore.providerClass": "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
    "spark.sql.streaming.stateStore.encodingFormat": "avro",
    # native memory for several queries would not fit beside the executor's heap
    "spark.sql.streaming.stateStore.rocksdb.boundedMemoryUsage": "true",
    "spark.sql.streaming.stateStore.rocksdb.maxMemoryUsageMB": "64",
    "spark.sql.streaming.minBatchesToRetain": "20",
    "spark.sql.streaming.noDataProgressEventInterval": "10000",
}


class Stream:
    """The streaming query, its results and its restarts."""

    def __init__(self, settings: StreamSettings, service: Service) -> None:
        self._settings = settings
        self._service = service
        self._kafka_password = password("kafka-password")
        self._client = connect(settings.mongodb, password("mongodb-password"), app="quartet-spark-stream")
        collection = self._client[settings.collections.results_database][settings.collections.stream_collection]
        self._results = Results(collection, settings.model)
        self._totals: dict[int, Totals] = {}
        self._failure: BaseException | None = None
        self._alive_at = time.monotonic()
        self._is_running = False
        self._batch: int | None = None

    def run(self) -> None:
        """Count until the process is asked to stop.

        Raises:
            QuartetError: an error that waiting does not fix.
        """
        self._allow_slow_start()
        settings = self._settings
        stream_metrics.serve(
            settings.metrics_port, settings.metrics_tls, lambda: self._service.watchdog_fed_at, topic=settings.topics.inferences
        )
        self._service.ready("starting Spark")
        more = {"spark.sql.shuffle.partitions": str(self._settings.state_partitions), **STATE}
        spark = spark_session.start("quartet-stream", self._settings.cluster, more, (records, producer_state))
        spark.streams.addListener(ProgressListener(stream_metrics.observe))
        try:
            while not self._service.stopping:
                reason = self._attempt(spark)
                if reason is not None:
                    log.warning("waiting: %s", reason)
                    self._service.status(f"waiting: {reason}", now=True)
                    self._service.sleep(RETRY_SECONDS)
        finally:
            spark_session.stop(spark)
            self._client.close()

    def _attempt(self, spark: SparkSession) -> str | None:
        """Run the query once; return why it ended, None if the process is asked to stop."""
        self._failure = None
        self._allow_slow_start()
        try:
            self._prepare(spark)
        except Unavailable as error:
            return str(error)
        query = self._start(spark)
        while query.isActive and not self._service.stopping:
            self._check_progress(query)
            time.sleep(CHECK_SECONDS)
        if self._service.stopping:
            query.stop()
            return None
        if spark.sparkContext._jsc is None or spark.sparkContext._jsc.sc().isStopped():
            raise QuartetError(ExitCode.UNAVAILABLE, "Spark's master dropped the job, or is unavailable")
        ended = query.exception()
        text = str(ended) if ended is not None else "the query ended"
        final = failures.fatal_error(text, self._failure)
        if final is not None:
            raise final
        return str(self._failure) if isinstance(self._failure, Unavailable) else failures.summarize(text)

    def _allow_slow_start(self) -> None:
        """Extend the watchdog timeout for steps that do not feed it: start of the JVM, wait for a core, loading of a large state."""
        self._is_running = False
        self._alive_at = time.monotonic()
        self._service.set_watchdog_timeout(self._settings.start_seconds)

    def _mark_alive(self) -> None:
        """Record progress of the query; the first progress restores the unit's own watchdog timeout."""
        self._alive_at = time.monotonic()
        if not self._is_running:
            self._is_running = True
            self._service.set_watchdog_timeout(None)

    def _prepare(self, spark: SparkSession) -> None:
        """See that results and checkpoint belong together; write the totals that the state holds."""
        settings = self._settings
        order = Path(settings.rebuild_order)
        if order.exists():
            log.info("rebuilding: removing the results and the checkpoint")
            self._results.clear()
            shutil.rmtree(settings.checkpoint_directory, ignore_errors=True)
            order.unlink()
        checkpoint.refuse_empty_files(settings.checkpoint_directory)
        models = self._results.models()
        if models and not checkpoint.is_begun(settings.checkpoint_directory):
            raise failures.inconsistent_results(f"there are results, but no checkpoint in {settings.checkpoint_directory}")
        if models - {settings.model}:
            raise failures.inconsistent_results(f"the results are of model {', '.join(sorted(models))}, the settings name {settings.model}")
        self._totals = {}
        batch = checkpoint.last_committed(settings.checkpoint_directory)
        if batch is not None:
            self._service.status("reading the state", now=True)
            self._totals = read_totals(spark, settings.checkpoint_directory, settings.model)
            self._results.write(self._totals, self._end_offsets(batch))

    def _start(self, spark: SparkSession) -> StreamingQuery:
        settings = self._settings
        source = kafka_source.options(settings.kafka, self._kafka_password, settings.topics.inferences, settings.max_offsets_per_trigger)
        counts = count_by_producer(spark.readStream.format("kafka").options(**source).load(), settings.model, settings.cluster.cores)
        return (
            counts.writeStream.outputMode("update")
            .foreachBatch(self._write)
            .option("checkpointLocation", Path(settings.checkpoint_directory).as_uri())
            .queryName("quartet-stream")
            .trigger(processingTime=f"{settings.trigger_seconds} seconds")
            .start()
        )

    def _write(self, changed: DataFrame, batch: int) -> None:
        """Write one micro-batch's totals. Collecting them runs it; its state is committed with it."""
        try:
            self._batch = batch
            for row in changed.collect():
                self._totals[row.producer_id] = Totals(row.total_count, row.incorrect_count)
            self._results.write(self._totals, self._end_offsets(batch))
            self._mark_alive()
        except BaseException as error:
            self._failure = error
            raise

    def _end_offsets(self, batch: int) -> dict[str, int]:
        return checkpoint.end_offsets(self._settings.checkpoint_directory, batch, self._settings.topics.inferences)

    def _check_progress(self, query: StreamingQuery) -> None:
        progress = query.lastProgress
        if progress is not None and not query.status["isTriggerActive"]:
            self._mark_alive()
        still = time.monotonic() - self._alive_at
        if still < (self._settings.stall_seconds if self._is_running else self._settings.start_seconds):
            self._service.feed_watchdog()
        total = sum(count.total for count in self._totals.values())
        incorrect = sum(count.incorrect for count in self._totals.values())
        batch = "-" if self._batch is None else self._batch
        line = f"batch {batch}: {incorrect} of {total} incorrect, {len(self._totals)} producers"
        self._service.status(line if still < 30 else f"{line}; no batch ended for {still:.0f} s (is a worker there?)")


def count_by_producer(source: DataFrame, model: str, cores: int) -> DataFrame:
    """Turn Kafka's records into each changed producer's absolute totals."""
    good = (
        source.select("key", "value", "partition", "offset")
        # a Python worker for each of the topic's partitions would cost more than the decoding
        .coalesce(cores)
        .mapInPandas(records.decoder(model), records.SCHEMA)
    )
    return good.groupBy("model", "producer_id").transformWithStateInPandas(
        statefulProcessor=producer_state.ProducerState(),
        outputStructType=producer_state.OUTPUT_SCHEMA,
        outputMode="Update",
        timeMode="None",
    )


def read_totals(spark: SparkSession, directory: str, model: str) -> dict[int, Totals]:
    """Read all producers' totals from the last committed state."""
    # Loading a state needs the coordinator that the query manager starts; `active` starts it before the first query.
    _ = spark.streams.active
    source: Any = spark.read.format("statestore").option("path", Path(directory).as_uri())
    rows = source.option("stateVarName", producer_state.TOTALS).load().collect()
    return {row.key.producer_id: Totals(row.value.total, row.value.incorrect) for row in rows if row.key.model == model}
