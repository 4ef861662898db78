"""Loads a dump into a server: collections with their options, documents as they were, indexes. Adds only, never changes a document."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any, Final

import pymongo
from bson.raw_bson import RawBSONDocument
from pymongo import errors as mongo_errors

from quartet.backup.documents import Documents, content, dumped_documents, dumped_metadata, metadata, metadata_text
from quartet.backup.manifest import DumpedCollection
from quartet.mongodb.client import translate_errors
from quartet.runtime.errors import ExitCode, QuartetError, Unavailable

_BATCH: Final = 1000
_DUPLICATE_KEY: Final = 11000
#: An index of a large collection takes minutes to build.
_INDEX_SECONDS: Final = 3600


def load(client: pymongo.MongoClient[dict[str, Any]], folder: Path, wanted: DumpedCollection) -> None:
    """Load a collection of a backup: what an interrupted load left is completed. A collection that is there keeps its options.

    Raises:
        Unavailable: the server does not answer.
        QuartetError: INPUT, the dump is damaged, or the collection holds other documents than the dump; CREDENTIALS.
    """
    described = dumped_metadata(folder / wanted.metadata)
    database = client[wanted.database]
    target = database[wanted.name]
    with translate_errors():
        if wanted.name not in database.list_collection_names(filter={"name": wanted.name}):
            database.command("create", wanted.name, **described["options"])
    source = dumped_documents(folder / wanted.data)
    while batch := list(islice(source, _BATCH)):
        _insert(target, batch)
    _create_indexes(target, described["indexes"])
    difference = content(target).difference(wanted)
    if difference:
        raise QuartetError(ExitCode.INPUT, f"{difference}. Restore into a database that holds nothing else")


def layout_difference(collection: Documents, folder: Path, wanted: DumpedCollection) -> str | None:
    """Return how options or indexes of a loaded collection differ from the dump; None if they do not.

    Raises:
        Unavailable, QuartetError
    """
    there, dumped = metadata(collection), dumped_metadata(folder / wanted.metadata)
    for part in ("options", "indexes"):
        if metadata_text({part: there[part]}) != metadata_text({part: dumped[part]}):
            name = f"{wanted.database}.{wanted.name}"
            return f"{part} of {name} are {metadata_text(there[part])}, the dump says {metadata_text(dumped[part])}"
    return None


def _insert(target: Documents, batch: list[RawBSONDocument]) -> None:
    try:
        with translate_errors():
            target.insert_many(batch, ordered=False)
    except mongo_errors.BulkWriteError as error:
        details = error.details or {}
        others = [failure for failure in details.get("writeErrors", []) if failure.get("code") != _DUPLICATE_KEY]
        if others:
            message = f"the server refuses a document of {target.full_name}: {str(others[0].get('errmsg'))[:300]}"
            raise QuartetError(ExitCode.REJECTED, message) from error
        if details.get("writeConcernErrors"):
            raise Unavailable("mongodb", f"not acknowledged: {str(details['writeConcernErrors'])[:200]}") from error


def _create_indexes(target: Documents, indexes: list[dict[str, Any]]) -> None:
    missing = [{key: value for key, value in index.items() if key != "ns"} for index in indexes if index["name"] != "_id_"]
    if missing:
        with pymongo.timeout(_INDEX_SECONDS), translate_errors():
            target.database.command("createIndexes", target.name, indexes=missing)
