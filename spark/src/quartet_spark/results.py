"""The documents that hold the counts, one a producer: `_id` = producer_id, so a second one cannot exist.

Everything written is absolute, so writing it again changes nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pymongo
from quartet.mongodb.client import translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo.collection import Collection
    from quartet.counting.totals import Totals


class Results:
    """One collection of counts.

    Every method raises Unavailable where waiting helps, and QuartetError where it does not.
    """

    def __init__(self, collection: Collection[dict[str, Any]], model: str) -> None:
        self._collection = collection
        self._model = model

    def models(self) -> set[str]:
        """Return the models whose counts are there."""
        with translated():
            return {document.get("model", "") for document in self._collection.find({}, {"model": 1})}

    def write(self, totals: Mapping[int, Totals], offsets: Mapping[str, int] | None = None) -> None:
        """Upsert the totals of the producers; with the stream's end offsets, if there are any."""
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
            with translated():
                self._collection.bulk_write(updates, ordered=False)

    def keep_only(self, totals: Mapping[int, Totals]) -> int:
        """Delete the producers that are not in `totals`; return how many there were."""
        with translated():
            return self._collection.delete_many({"_id": {"$nin": sorted(totals)}}).deleted_count

    def clear(self) -> None:
        """Delete all counts."""
        with translated():
            self._collection.delete_many({})
