"""Settings of the apps: JSON files written by the roles, validated here and nowhere else. They contain no secrets.

Passwords are files of the credentials directory (`LoadCredential=` of the unit): `kafka-password`, `mongodb-password`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quartet.runtime.errors import ExitCode, QuartetError

Port = Annotated[int, Field(ge=1, le=65535)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Kafka(_Strict):
    """How to reach Kafka: SASL_SSL with SCRAM-SHA-512."""

    bootstrap_servers: Annotated[list[str], Field(min_length=1)]
    user: str
    ca_file: str


class MongoDB(_Strict):
    """How to reach the database: TLS with SCRAM-SHA-256."""

    hosts: Annotated[list[str], Field(min_length=1)]
    user: str
    ca_file: str


class MetricsTls(_Strict):
    """How an app serves its metrics to others: at `address`, to those who show a certificate of the CA in `ca_file`.

    The port is a setting of its own; key and certificate are the credential metrics.pem.
    """

    address: str
    ca_file: str


class Topics(_Strict):
    """Names of the topics."""

    images: str
    inferences: str
    dead_letters: str


class Collections(_Strict):
    """Names of the databases and collections."""

    image_database: str
    image_collection: str
    results_database: str
    inference_collection: str
    batch_collection: str
    stream_collection: str


class Dataset(_Strict):
    """Where images come from. `path`: a folder or archive, for the kinds cifar10 and folder."""

    kind: Literal["glyphs", "cifar10", "folder"]
    path: str | None = None


class Slice(_Strict):
    """One producer's part of a split: every `of`-th image, starting at `index`."""

    index: Annotated[int, Field(ge=0)] = 0
    of: Annotated[int, Field(ge=1)] = 1


class Distortion(_Strict):
    """How a faulty camera distorts its images. `severity`: 0 (no distortion) to 1."""

    kind: Literal["none", "noise", "blur", "occlusion"] = "none"
    severity: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.0


class ProducerSettings(_Strict):
    """Settings of one producer. `rate`: images per second, 0 = unlimited; `count`: images, 0 = endless."""

    kafka: Kafka
    topics: Topics
    producer_id: Annotated[int, Field(ge=1, le=2**31 - 1)]
    dataset: Dataset
    split: Literal["train", "test"] = "test"
    slice: Slice = Slice()
    rate: Annotated[float, Field(ge=0, strict=False)] = 0.0
    count: Annotated[int, Field(ge=0)] = 0
    seed: int = 1
    run: Annotated[str, Field(pattern="^[a-z0-9]{1,32}$")] = "first"
    distortion: Distortion = Distortion()
    metrics_port: Port
    metrics_tls: MetricsTls | None = None


class DbConsumerSettings(_Strict):
    """Settings of one DB consumer. A batch ends at `batch_size` records or after `batch_seconds`. The role sets the defaults."""

    kafka: Kafka
    mongodb: MongoDB
    topics: Topics
    collections: Collections
    stream: Literal["images", "inferences"]
    group: str
    group_instance_id: str
    batch_size: Annotated[int, Field(ge=1, le=10_000)]
    batch_seconds: Annotated[float, Field(ge=0, le=5, strict=False)]
    rejections_per_minute: Annotated[int, Field(ge=1)]
    metrics_port: Port
    metrics_tls: MetricsTls | None


class InferenceSettings(_Strict):
    """Settings of the inference consumer. `threads`: 0 = all CPUs. The role sets the defaults."""

    kafka: Kafka
    topics: Topics
    model_file: str
    model_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    group: str
    group_instance_id: str
    batch_size: Annotated[int, Field(ge=1, le=4096)]
    threads: Annotated[int, Field(ge=0)]
    device: Literal["auto", "cpu", "cuda"]
    dtype: Literal["auto", "float32", "bfloat16"]
    metrics_port: Port
    metrics_tls: MetricsTls | None


class Groups(_Strict):
    """Names of the consumer groups."""

    images: str
    inferences: str
    inference: str


class _Observer(_Strict):
    """What the readers of the whole pipeline have in common. `model`: the first 12 hex digits of quartet_model_sha256."""

    kafka: Kafka
    mongodb: MongoDB
    topics: Topics
    collections: Collections
    groups: Groups
    model: Annotated[str, Field(pattern="^[0-9a-f]{12}$")]


class AuditorSettings(_Observer):
    """Settings of the auditing commands (quartet.audit).

    `metrics_tls`: how the apps of this VM serve their metrics;
    `metrics_directory`: when verify last succeeded, for node exporter's textfile collector; None: it is not written.
    """

    batch_csv: str
    batch_chart: str
    credentials_directory: str | None = None
    metrics_tls: MetricsTls | None = None
    metrics_directory: str | None = None


class ExporterSettings(_Observer):
    """Settings of the exporter, which asks every `poll_seconds`."""

    poll_seconds: Annotated[float, Field(ge=1, le=60, strict=False)]
    metrics_port: Port
    metrics_tls: MetricsTls | None


class ConsoleSettings(_Observer):
    """Settings of the live console. `address`, `port`: where it listens; `monitoring`: what there is to ask besides Kafka and the database."""

    address: str
    port: Port
    monitoring: Literal["none", "exporters", "full"]
    prometheus_url: str


class Privilege(_Strict):
    """Actions that a role allows on a collection, where an empty `collection` means all of the database; or on the server (`cluster`)."""

    database: str = ""
    collection: str = ""
    cluster: bool = False
    actions: Annotated[list[str], Field(min_length=1)]


class DatabaseRole(_Strict):
    """A role of the database."""

    name: str
    privileges: list[Privilege]


class DatabaseUser(_Strict):
    """A user of the database, without the password."""

    name: str
    roles: list[str]


class BackupSettings(_Strict):
    """Settings of backup, restore-drill and restore (quartet.backup). The role sets the defaults.

    `directory`: the folder of the backups; `keep`: number of backups kept; `ledgers`: exported ledgers of the producers; `mongod`: the
    server's program; `scratch_directory`: where the drill's server has its data; `roles` and `users`: who may log in after a restore;
    `metrics_directory`: times of the last successes, for node exporter's textfile collector.
    """

    kafka: Kafka
    mongodb: MongoDB
    topics: Topics
    groups: Groups
    collections: Collections
    inventory_id: str
    model: Annotated[str, Field(pattern="^[0-9a-f]{12}$")]
    directory: str
    keep: Annotated[int, Field(ge=1)]
    ledgers: str
    mongod: str
    scratch_directory: str
    roles: list[DatabaseRole]
    users: list[DatabaseUser]
    metrics_directory: str
    credentials_directory: str | None


SettingsT = TypeVar("SettingsT", bound=BaseModel)


def load(kind: type[SettingsT], file: str | os.PathLike[str]) -> SettingsT:
    """Read and validate a settings file.

    Raises:
        QuartetError: CONFIGURATION, naming each invalid option.
    """
    try:
        return kind.model_validate_json(Path(file).read_bytes())
    except OSError as error:
        raise QuartetError(ExitCode.CONFIGURATION, f"cannot read the settings: {error}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors(include_input=False))
        raise QuartetError(ExitCode.CONFIGURATION, f"{file}: {wrong}") from None


def password(name: Literal["kafka-password", "mongodb-password", "viewer-password-hash"], directory: str | None = None) -> str:
    """Return a password from the credentials directory (default: the one that systemd created for the unit).

    Raises:
        QuartetError: CONFIGURATION, the directory or the file is missing.
    """
    folder = directory or os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        message = f"no credentials directory: the unit lacks LoadCredential={name}, or the settings lack credentials_directory"
        raise QuartetError(ExitCode.CONFIGURATION, message)
    try:
        return Path(folder, name).read_text().strip()
    except OSError as error:
        raise QuartetError(ExitCode.CONFIGURATION, f"cannot read the credential {name}: {error}") from None
