"""A collection that is written once: an upsert adds a document that is not there, and never changes one that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pymongo
from pymongo import errors as mongo_errors

from quartet.kafka_client import Unavailable
from quartet.mongodb_client import translated

# The server's codes for a document that it will never accept:
# BadValue, TypeMismatch, InvalidBSON, DocumentValidationFailure, BSONObjectTooLarge
_DATA_ERRORS: Final = frozenset({2, 14, 22, 121, 10334})


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the documents of a bulk, by position: added, there already, or refused (with the reason)."""

    added: frozenset[int]
    present: frozenset[int]
    refused: Mapping[int, str]


class DocumentStore:
    """A collection of a database."""

    def __init__(self, client: pymongo.MongoClient[dict[str, Any]], database: str, collection: str) -> None:
        self._collection = client[database][collection]

    def add_missing(self, documents: Sequence[Mapping[str, Any]]) -> Written:
        """Add the documents whose _id is not there, in one unordered bulk, acknowledged by the majority and the journal.

        Raises:
            Unavailable: the database is away, or two writers met on one _id (E11000): write the whole bulk again.
            QuartetError: CREDENTIALS.
        """
        operations = [
            pymongo.UpdateOne(
                {"_id": document["_id"]}, {"$setOnInsert": {name: value for name, value in document.items() if name != "_id"}}, upsert=True
            )
            for document in documents
        ]
        refused: dict[int, str] = {}
        try:
            with translated():
                upserted: Iterable[int] = self._collection.bulk_write(operations, ordered=False).upserted_ids or {}
        except mongo_errors.BulkWriteError as error:
            upserted, refused = _examine(error)
        added = frozenset(upserted)
        return Written(added, frozenset(range(len(documents))) - added - refused.keys(), refused)

    def values(self, ids: Sequence[str], field: str) -> dict[str, Any]:
        """Return a field of the documents with these ids.

        Raises:
            Unavailable, QuartetError
        """
        if not ids:
            return {}
        with translated():
            return {document["_id"]: document.get(field) for document in self._collection.find({"_id": {"$in": list(ids)}}, {field: 1})}


def _examine(error: mongo_errors.BulkWriteError) -> tuple[list[int], dict[int, str]]:
    """Return what was added and what was refused for good; anything else makes the whole bulk be written again."""
    details = error.details or {}
    failures = details.get("writeErrors", [])
    for failure in failures:
        if failure.get("code") not in _DATA_ERRORS:
            raise Unavailable("mongodb", f"write error {failure.get('code')}: {str(failure.get('errmsg'))[:200]}") from error
    if details.get("writeConcernErrors"):
        raise Unavailable("mongodb", f"not acknowledged: {str(details['writeConcernErrors'])[:200]}") from error
    added = [int(item["index"]) for item in details.get("upserted", [])]
    return added, {int(failure["index"]): f"{failure['code']}: {str(failure.get('errmsg'))[:300]}" for failure in failures}
