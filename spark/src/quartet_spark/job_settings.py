"""Settings of the two jobs: JSON files written by the role spark_jobs, validated here. They contain no secrets."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from quartet.runtime.settings import Collections, Kafka, MetricsTls, MongoDB, Port, Topics

Model = Annotated[str, Field(pattern="^[0-9a-f]{12}$")]
Memory = Annotated[str, Field(pattern="^[1-9][0-9]*[mg]$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Cluster(_Strict):
    """The standalone master and the job's resources. The ports are the driver's."""

    master_url: Annotated[str, Field(pattern="^spark://")]
    driver_host: str
    driver_bind_address: str
    driver_port: Port
    block_manager_port: Port
    driver_memory: Memory
    executor_memory: Memory
    cores: Annotated[int, Field(ge=1)] = 1


class BatchSettings(_Strict):
    """Settings of the batch job.

    `output_directory`: folder for the CSV and the chart; `metrics_directory`: when it last succeeded, for node exporter's textfile
    collector; None: it is not written.
    """

    mongodb: MongoDB
    collections: Collections
    cluster: Cluster
    model: Model
    output_directory: str
    metrics_directory: str | None = None


class StreamSettings(_Strict):
    """Settings of the stream job.

    `rebuild_order`: a file that asks for one rebuild and is removed when it is done. `state_partitions` is fixed by the
    first checkpoint. `stall_seconds`: after this time without progress of the query the watchdog is no longer fed;
    `start_seconds`: the same until the end of the first batch, which may have a large state to load. `metrics_port`: where the
    driver serves its metrics.
    """

    kafka: Kafka
    mongodb: MongoDB
    topics: Topics
    collections: Collections
    cluster: Cluster
    model: Model
    checkpoint_directory: str
    rebuild_order: str
    trigger_seconds: Annotated[float, Field(gt=0, strict=False)] = 1.0
    max_offsets_per_trigger: Annotated[int, Field(ge=1)] = 20_000
    state_partitions: Annotated[int, Field(ge=1)] = 2
    metrics_port: Port = 9240
    metrics_tls: MetricsTls | None = None
    start_seconds: Annotated[int, Field(ge=60)] = 900
    stall_seconds: Annotated[int, Field(ge=60)] = 300
