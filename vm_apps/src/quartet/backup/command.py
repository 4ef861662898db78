"""`quartet backup`: read the committed offsets, then dump the databases, then write the manifest.

Offsets are committed only after the writes of their records are acknowledged, and nothing is deleted: every document of a record below the
recorded offsets is in the dump. So database and log fit together without stopping anything, and a restore continues at the offsets.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pymongo

from quartet.backup import documents
from quartet.backup.kafka_state import KafkaState, read_state
from quartet.backup.manifest import DumpedCollection, Manifest, StreamTotal, file_row, write_manifest
from quartet.backup.patience import until_available
from quartet.backup.shelf import Shelf
from quartet.kafka import client as kafka_client
from quartet.mongodb import client as mongodb_client
from quartet.runtime import settings, textfile
from quartet.runtime.durable import replace_file, sync_folder
from quartet.runtime.errors import ExitCode, QuartetError, exit_if_unavailable
from quartet.runtime.settings import BackupSettings, password
from quartet.runtime.version import VERSION

Client = pymongo.MongoClient[dict[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the subcommand."""
    parser.add_argument("--config", required=True, metavar="FILE", help="the settings of the backup (JSON)")


def run(arguments: argparse.Namespace) -> int:
    """Make a backup and remove those that are too many."""
    options = settings.load(BackupSettings, arguments.config)
    shelf = Shelf(options.directory)
    began = time.monotonic()
    with exit_if_unavailable(), shelf.locked():
        manifest = make_backup(options, shelf)
        removed = shelf.prune(options.keep)
    seconds = time.monotonic() - began
    textfile.record_success(options.metrics_directory, "backup", duration_seconds=seconds, bytes=manifest.uncompressed_bytes)
    counts = ", ".join(f"{c.database}.{c.name} {c.count:,}" for c in manifest.collections)
    print(f"backup {manifest.name}: {counts}; {sum(file.bytes for file in manifest.files):,} bytes in {time.monotonic() - began:.0f} s")
    if removed:
        print(f"removed {', '.join(removed)}")
    return ExitCode.OK


def make_backup(options: BackupSettings, shelf: Shelf) -> Manifest:
    """Make a backup and return its manifest.

    Raises:
        Unavailable: a server does not answer.
        QuartetError: CREDENTIALS; CONFIGURATION; INPUT, the ledgers cannot be read; FAILED, not enough space.
    """
    kafka_client.require_crc32c()
    began_at = time.time_ns() // 1000
    kafka = until_available(lambda: _read_kafka(options))
    with mongodb_client.connect(
        options.mongodb, password("mongodb-password", options.credentials_directory), app="quartet-backup"
    ) as client:
        server, feature_compatibility = versions(client)
        names = options.collections
        stream = _stream_totals(client[names.results_database][names.stream_collection])
        databases = [client[name] for name in sorted({names.image_database, names.results_database})]
        _require_space(databases, shelf.directory)
        folder = shelf.create(time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(began_at // 1_000_000)))
        dumped = [documents.dump(database[name], folder) for database in databases for name in documents.collection_names(database)]
    ledgers_exported_at = _copy_ledgers(Path(options.ledgers), folder)
    _write_settings(kafka, folder)
    files = [file for collection in dumped for file in (collection.data, collection.metadata)] + ["kafka.json"]
    files += ["ledgers.json"] if ledgers_exported_at is not None else []
    manifest = Manifest(
        format=1,
        name=folder.name,
        began_at=began_at,
        ended_at=time.time_ns() // 1000,
        quartet=VERSION,
        inventory_id=options.inventory_id,
        model=options.model,
        server=server,
        feature_compatibility=feature_compatibility,
        cluster_id=kafka.cluster_id,
        topics=kafka.topics,
        committed=kafka.committed,
        stream=stream,
        ledgers_exported_at=ledgers_exported_at,
        collections=dumped,
        files=[file_row(folder, file) for file in files],
    )
    _sync(folder, dumped)
    write_manifest(folder, manifest)
    sync_folder(shelf.directory)
    return manifest


def _read_kafka(options: BackupSettings) -> KafkaState:
    admin = kafka_client.connect_admin(options.kafka, password("kafka-password", options.credentials_directory))
    try:
        return read_state(admin)
    finally:
        admin.close()


def versions(client: Client) -> tuple[str, str]:
    """Return the server's version and its feature compatibility version.

    Raises:
        Unavailable, QuartetError
    """
    with mongodb_client.translate_errors():
        version = str(client.admin.command("buildInfo")["version"])
        # The document behind getParameter, which needs a right on the whole cluster.
        found = client.admin["system.version"].find_one({"_id": "featureCompatibilityVersion"}) or {}
    return version, str(found.get("version", "unknown"))


def _stream_totals(collection: documents.Documents) -> list[StreamTotal]:
    with mongodb_client.translate_errors():
        return [
            StreamTotal(
                producer_id=found["producer_id"],
                total_count=found["total_count"],
                incorrect_count=found["incorrect_count"],
                model=found["model"],
                offsets={str(partition): int(offset) for partition, offset in (found.get("offsets") or {}).items()},
            )
            for found in collection.find(sort=[("_id", 1)])
        ]


def _require_space(databases: list[Any], directory: Path) -> None:
    """Refuse a backup for which there may be no room: images do not compress, so the documents' size is what is needed."""
    with mongodb_client.translate_errors():
        needed = sum(
            int(row["storageStats"]["size"])
            for database in databases
            for name in documents.collection_names(database)
            for row in database[name].aggregate([{"$collStats": {"storageStats": {}}}])
        )
    free = shutil.disk_usage(directory).free
    if free < needed:
        message = f"the backup needs up to {needed:,} bytes and {directory} has {free:,} free; make room or set backup_keep lower"
        raise QuartetError(ExitCode.FAILED, message)


def _copy_ledgers(source: Path, folder: Path) -> int | None:
    """Copy the exported ledgers; return when they were exported (microseconds), None if there are none."""
    try:
        content, exported_at = source.read_bytes(), source.stat().st_mtime_ns // 1000
        json.loads(content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise QuartetError(ExitCode.INPUT, f"cannot read the ledgers {source}: {error}. `make backup` brings them again") from None
    replace_file(folder / "ledgers.json", content)
    return exported_at


def _write_settings(kafka: KafkaState, folder: Path) -> None:
    replace_file(folder / "kafka.json", json.dumps(kafka.settings, indent=1).encode())


def _sync(folder: Path, dumped: list[DumpedCollection]) -> None:
    for database in {collection.database for collection in dumped}:
        sync_folder(folder / database)
    sync_folder(folder)
