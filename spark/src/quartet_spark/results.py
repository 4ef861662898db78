"""The documents with the counts, one per producer: `_id` = producer_id, so there cannot be a second one.

All written values are absolute, so writes are idempotent.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pymongo
from quartet.mongodb.client import translate_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo.collection import Collection
    from quartet.counting.totals import Totals


class Results:
    """A collection of counts.

    Every method raises Unavailable if a retry can help, else QuartetError.
    """

    def __init__(self, collection: Collection[dict[str, Any]], model: str) -> None:
        self._collection = collection
        self._model = model

    def models(self) -> set[str]:
        """Return the models of the stored counts."""
        with translate_errors():
            return {document.get("model", "") for document in self._collection.find({}, {"model": 1})}

    def write(self, totals: Mapping[int, Totals], offsets: Mapping[str, int] | None = None) -> None:
        """Upsert the totals of the producers, with the stream's end offsets if given."""
        more = {} if offsets is None else {"offsets": dict(offsets)}
        updates = [
            pymongo.UpdateOne(
                {"_id": producer_id},
                {
                    "$set": {
                        "producer_id": producer_id,
                        "incorrect_count": count.incorrect,
                        "total_count": count.total,
                        "model": self._model,
                        "updated_at": time.time_ns() // 1000,
                        **more,
                    }
                },
                upsert=True,
            )
            for producer_id, count in sorted(totals.items())
            if count.total
        ]
        if updates:
            with translate_errors():
                self._collection.bulk_write(updates, ordered=False)

    def delete_others(self, totals: Mapping[int, Totals]) -> int:
        """Delete the producers that are not in `totals`; return their number."""
        with translate_errors():
            return self._collection.delete_many({"_id": {"$nin": sorted(totals)}}).deleted_count

    def clear(self) -> None:
        """Delete all counts."""
        with translate_errors():
            self._collection.delete_many({})
