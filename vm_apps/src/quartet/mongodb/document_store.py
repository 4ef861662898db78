"""A write-once collection: an insert adds a missing document and never changes an existing one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pymongo
from pymongo import errors as mongo_errors

from quartet.mongodb.client import translate_errors
from quartet.runtime.errors import Unavailable

_DUPLICATE_KEY: Final = 11000
# Error codes of the server for a document that it will never accept:
# BadValue, TypeMismatch, InvalidBSON, DocumentValidationFailure, BSONObjectTooLarge
_DATA_ERRORS: Final = frozenset({2, 14, 22, 121, 10334})


@dataclass(frozen=True, slots=True)
class InsertResult:
    """Result of a bulk insert, by position: documents that were added, were already present, or were refused (with the reason)."""

    added: frozenset[int]
    present: frozenset[int]
    refused: Mapping[int, str]


class DocumentStore:
    """A collection whose documents are inserted once and never changed."""

    def __init__(self, client: pymongo.MongoClient[dict[str, Any]], database: str, collection: str) -> None:
        self._collection = client[database][collection]

    def insert_missing(self, documents: Sequence[dict[str, Any]]) -> InsertResult:
        """Insert the documents whose _id is missing, in one unordered bulk with write concern majority and journal.

        A bulk can be repeated: documents that were inserted although the response was lost are then reported as present.

        Raises:
            Unavailable: the database did not answer or did not acknowledge; the whole bulk must be repeated.
            QuartetError: CREDENTIALS.
        """
        present: set[int] = set()
        refused: dict[int, str] = {}
        try:
            with translate_errors():
                self._collection.insert_many(documents, ordered=False)
        except mongo_errors.BulkWriteError as error:
            present, refused = self._classify_errors(error, documents)
        return InsertResult(frozenset(range(len(documents))) - present - refused.keys(), frozenset(present), refused)

    def values(self, ids: Sequence[str], field: str) -> dict[str, Any]:
        """Return one field of the existing documents among these ids, by id.

        Raises:
            Unavailable, QuartetError
        """
        if not ids:
            return {}
        with translate_errors():
            return {document["_id"]: document.get(field) for document in self._collection.find({"_id": {"$in": list(ids)}}, {field: 1})}

    def _classify_errors(
        self, error: mongo_errors.BulkWriteError, documents: Sequence[Mapping[str, Any]]
    ) -> tuple[set[int], dict[int, str]]:
        """Return the positions already present and those refused for good.

        Raises:
            Unavailable: any other write error; the whole bulk must be repeated.
        """
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
        # The server checks the validator, and perhaps another unique index, before it checks the _id.
        there = self.values([documents[at]["_id"] for at in refused], "_id")
        present |= {at for at in refused if documents[at]["_id"] in there}
        return present, {at: reason for at, reason in refused.items() if at not in present}
