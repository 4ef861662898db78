"""The manifest of a backup: what it was taken of, and every file with its size and checksum.

It is written last, so a folder without one is no backup. Its own SHA-256 stands in it: offsets in it are trusted as much as the files.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from quartet.runtime.durable import replace_file
from quartet.runtime.errors import ExitCode, QuartetError

MANIFEST: Final = "manifest.json"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class File(_Row):
    """A file of the backup. `path`: relative to the folder; `sha256`: of the file as it lies there (compressed)."""

    path: str
    bytes: int
    sha256: str


class DumpedCollection(_Row):
    """A collection. `bytes` and `sha256`: of its documents' BSON in the order of `_id`, uncompressed."""

    database: str
    name: str
    data: str
    metadata: str
    count: int
    bytes: int
    sha256: str


class Topic(_Row):
    """A topic when the backup began. `begin` and `end`: the first and the end offset of each partition, by its number."""

    id: str
    begin: list[int]
    end: list[int]


class StreamTotal(_Row):
    """What Spark's stream had counted for a producer, up to these end offsets of the inferences topic."""

    producer_id: int
    total_count: int
    incorrect_count: int
    model: str
    offsets: dict[str, int]


class Manifest(_Row):
    """A backup. Times in microseconds since the epoch.

    `committed`: group -> topic -> offset of each partition, -1 where the group had committed none; `ledgers_exported_at`: None if there
    were no ledgers; `server`: MongoDB's version; `feature_compatibility`: the version of its data format.
    """

    format: Literal[1]
    name: str
    began_at: int
    ended_at: int
    quartet: str
    inventory_id: str
    model: str
    server: str
    feature_compatibility: str
    cluster_id: str
    topics: dict[str, Topic]
    committed: dict[str, dict[str, list[int]]]
    stream: list[StreamTotal]
    ledgers_exported_at: int | None
    collections: list[DumpedCollection]
    files: list[File]

    @property
    def uncompressed_bytes(self) -> int:
        """Return the size of all documents."""
        return sum(collection.bytes for collection in self.collections)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest durably; from now on the folder is a backup."""
    content = manifest.model_dump(mode="json")
    replace_file(folder / MANIFEST, json.dumps({"manifest": content, "sha256": _digest(content)}, indent=1, sort_keys=True).encode())


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a backup.

    Raises:
        QuartetError: INPUT, there is none, or it is damaged or of another format.
    """
    file = folder / MANIFEST
    try:
        whole = json.loads(file.read_bytes())
        content, digest = whole["manifest"], whole["sha256"]
    except OSError as error:
        raise QuartetError(ExitCode.INPUT, f"{folder} is no backup: {error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise QuartetError(ExitCode.INPUT, f"{file} is damaged: {error}. Use another backup") from None
    if digest != _digest(content):
        raise QuartetError(ExitCode.INPUT, f"{file} is damaged: its SHA-256 is {_digest(content)}, it says {digest}. Use another backup")
    try:
        return Manifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False))
        raise QuartetError(ExitCode.INPUT, f"{file} is of another release of Quartet: {wrong}") from None


def file_row(folder: Path, path: str) -> File:
    """Return the row of a file that is in the folder."""
    with (folder / path).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return File(path=path, bytes=stream.tell(), sha256=digest)


def damaged_files(folder: Path, manifest: Manifest) -> list[str]:
    """Return one line per file that is missing or is not what the manifest says."""
    found = []
    for wanted in manifest.files:
        try:
            there = file_row(folder, wanted.path)
        except OSError as error:
            found.append(f"{folder / wanted.path}: {error.strerror}")
            continue
        if there.bytes != wanted.bytes:
            found.append(f"{folder / wanted.path} has {there.bytes:,} bytes, the manifest says {wanted.bytes:,}")
        elif there.sha256 != wanted.sha256:
            found.append(f"{folder / wanted.path} has SHA-256 {there.sha256}, the manifest says {wanted.sha256}")
    return found


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
