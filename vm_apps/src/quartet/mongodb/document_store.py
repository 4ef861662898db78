"""A collection that is written once: an insert adds a document that is not there, and never changes one that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pymongo
from pymongo import errors as mongo_errors

from quartet.mongodb.client import translated
from quartet.runtime.errors import Unavailable

_DUPLICATE_KEY: Final = 11000
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

    def add_missing(self, documents: Sequence[dict[str, Any]]) -> Written:
        """Add the documents whose _id is not there, in one unordered bulk, acknowledged by the majority and the journal.

        An insert whose answer was lost is found there when the bulk is written again, which changes nothing.

        Raises:
            Unavailable: the database is away, or did not acknowledge: write the whole bulk again.
            QuartetError: CREDENTIALS.
        """
        present: set[int] = set()
        refused: dict[int, str] = {}
        try:
            with translated():
                self._collection.insert_many(documents, ordered=False)
        except mongo_errors.BulkWriteError as error:
            present, refused = self._examine(error, documents)
        return Written(frozenset(range(len(documents))) - present - refused.keys(), frozenset(present), refused)

    def values(self, ids: Sequence[str], field: str) -> dict[str, Any]:
        """Return a field of the documents with these ids.

        Raises:
            Unavailable, QuartetError
        """
        if not ids:
            return {}
        with translated():
            return {document["_id"]: document.get(field) for document in self._collection.find({"_id": {"$in": list(ids)}}, {field: 1})}

    def _examine(self, error: mongo_errors.BulkWriteError, documents: Sequence[Mapping[str, Any]]) -> tuple[set[int], dict[int, str]]:
        """Return what was there already and what was refused for good; anything else makes the whole bulk be written again."""
        details = error.details or {}
        if details.get("writeConcernErrors"):
            raise Unavailable("mongodb", f"not acknowledged: {str(details['writeConcernErrors'])[:200]}") from error
        present: set[int] = set()
        refused: dict[int, str] = {}
        for failure in details.get("writeErrors", []):
            code, at = failure.get("code"), int(failure["index"])
            reason = f"{code}: {str(failure.get('errmsg'))[:300]}"
            if code == _DUPLICATE_KEY and list(failure.get("keyPattern", ["_id"])) == ["_id"]:
                present.add(at)
            elif code == _DUPLICATE_KEY or code in _DATA_ERRORS:
                refused[at] = reason
            else:
                raise Unavailable("mongodb", f"write error {reason}") from error
        # The server checks the validator, and perhaps another unique index, before it looks for the _id.
        there = self.values([documents[at]["_id"] for at in refused], "_id")
        present |= {at for at in refused if documents[at]["_id"] in there}
        return present, {at: reason for at, reason in refused.items() if at not in present}
