"""The documents of a collection as their BSON bytes: their hash, and their dump in mongodump's layout.

`<database>/<collection>.bson.gz` holds the documents one after another, `<collection>.metadata.json.gz` options and indexes in canonical
extended JSON. mongorestore reads both (`--gzip`).
"""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast
from urllib.parse import quote

from bson import decode_file_iter, json_util
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from quartet.backup.manifest import DumpedCollection
from quartet.mongodb.client import translate_errors
from quartet.runtime.errors import ExitCode, QuartetError

Documents = Collection[dict[str, Any]]

# Photographs and random pixels do not compress, text does at any level.
_LEVEL: Final = 1
_RAW: Final = CodecOptions(document_class=RawBSONDocument)


class Content:
    """Number, size and SHA-256 of documents that are read one after another."""

    def __init__(self) -> None:
        self.count, self.bytes, self._digest = 0, 0, hashlib.sha256()

    def add(self, documents: bytes) -> None:
        """Add whole documents."""
        at = 0
        while at < len(documents):
            at += struct.unpack_from("<i", documents, at)[0]
            self.count += 1
        self.bytes += len(documents)
        self._digest.update(documents)

    @property
    def sha256(self) -> str:
        """Return the digest of all documents so far."""
        return self._digest.hexdigest()

    def difference(self, wanted: DumpedCollection) -> str | None:
        """Return how this content differs from a dumped collection; None if it does not."""
        if (self.count, self.bytes, self.sha256) == (wanted.count, wanted.bytes, wanted.sha256):
            return None
        return (
            f"{wanted.database}.{wanted.name} has {self.count:,} documents of {self.bytes:,} bytes with SHA-256 {self.sha256}, "
            f"the manifest says {wanted.count:,} of {wanted.bytes:,} with {wanted.sha256}"
        )


def read_batches(collection: Documents) -> Iterator[bytes]:
    """Yield all documents that a majority has, in the order of `_id`, as the server sends them.

    Raises:
        Unavailable, QuartetError
    """
    with translate_errors():
        yield from collection.with_options(read_concern=ReadConcern("majority")).find_raw_batches({}, sort=[("_id", 1)])


def content(collection: Documents) -> Content:
    """Return number, size and hash of a collection's documents.

    Raises:
        Unavailable, QuartetError
    """
    found = Content()
    for batch in read_batches(collection):
        found.add(batch)
    return found


def metadata(collection: Documents) -> dict[str, Any]:
    """Return options (the validator is one of them) and indexes of a collection, as mongodump writes them.

    Raises:
        Unavailable, QuartetError
    """
    with translate_errors():
        found = next(iter(collection.database.list_collections(filter={"name": collection.name})))
        indexes = [dict(index) for index in collection.list_indexes()]
    return {"options": found.get("options", {}), "indexes": indexes, "collectionName": collection.name, "type": "collection"}


def metadata_text(data: dict[str, Any]) -> str:
    """Return metadata as text, in which the order of an index's keys is kept."""
    return json_util.dumps(data, json_options=json_util.CANONICAL_JSON_OPTIONS)


def collection_names(database: Database[dict[str, Any]]) -> list[str]:
    """Return the collections of a database that hold documents: no views, none of the server's own.

    Raises:
        Unavailable, QuartetError
    """
    with translate_errors():
        names = database.list_collection_names(filter={"type": "collection"})
    return sorted(name for name in names if not name.startswith("system."))


def dump(collection: Documents, folder: Path) -> DumpedCollection:
    """Write a collection into the folder of a backup.

    Raises:
        Unavailable, QuartetError
    """
    database = collection.database.name
    # mongodump's own way with a name that is no file name
    stem = f"{database}/{quote(collection.name, safe='')}"
    (folder / database).mkdir(mode=0o700, exist_ok=True)
    found = Content()
    with (folder / f"{stem}.bson.gz").open("wb") as file:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL, filename="", mtime=0) as stream:
            for batch in read_batches(collection):
                stream.write(batch)
                found.add(batch)
        file.flush()
        os.fsync(file.fileno())
    with (folder / f"{stem}.metadata.json.gz").open("wb") as file:
        file.write(gzip.compress(metadata_text(metadata(collection)).encode(), mtime=0))
        file.flush()
        os.fsync(file.fileno())
    return DumpedCollection(
        database=database,
        name=collection.name,
        data=f"{stem}.bson.gz",
        metadata=f"{stem}.metadata.json.gz",
        count=found.count,
        bytes=found.bytes,
        sha256=found.sha256,
    )


def dumped_documents(file: Path) -> Iterator[RawBSONDocument]:
    """Yield the documents of a dump.

    Raises:
        QuartetError: INPUT, the file is damaged.
    """
    try:
        with gzip.open(file, "rb") as stream:
            yield from decode_file_iter(cast("IO[bytes]", stream), _RAW)
    except (OSError, EOFError, BSONError, zlib.error) as error:
        raise QuartetError(ExitCode.INPUT, f"{file} is damaged: {error}. Use another backup") from None


def dumped_metadata(file: Path) -> dict[str, Any]:
    """Return options and indexes of a dump.

    Raises:
        QuartetError: INPUT, the file is damaged.
    """
    try:
        return dict(json_util.loads(gzip.decompress(file.read_bytes()), json_options=json_util.CANONICAL_JSON_OPTIONS))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise QuartetError(ExitCode.INPUT, f"{file} is damaged: {error}. Use another backup") from None
