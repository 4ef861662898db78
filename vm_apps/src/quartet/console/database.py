"""What the console reads from MongoDB: images, counts per producer, one image's documents. It may only find, in four collections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pymongo

from quartet.contracts.image import IMAGE_BYTES
from quartet.mongodb import client as mongodb_client
from quartet.runtime.settings import Collections


class Database:
    """The four collections. Every method raises Unavailable or QuartetError (CREDENTIALS)."""

    def __init__(self, client: pymongo.MongoClient[dict[str, Any]], names: Collections, model: str) -> None:
        self._client, self._model = client, model
        self._images = client[names.image_database][names.image_collection]
        results = client[names.results_database]
        self._inferences = results[names.inference_collection]
        self._results = {"stream": results[names.stream_collection], "batch": results[names.batch_collection]}

    def server(self) -> str:
        """Return the server's name and version, as it says itself."""
        return mongodb_client.server(self._client)

    def images(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Return the images of these ids that are stored, each 3,072 bytes."""
        with mongodb_client.translate_errors():
            found = self._images.find({"_id": {"$in": list(ids)}}, {"image": True})
            return {row["_id"]: bytes(row["image"]) for row in found if len(row["image"]) == IMAGE_BYTES}

    def results(self) -> dict[str, dict[int, dict[str, Any]]]:
        """Return what stream and batch counted of this model, by producer: incorrect, total and the time of the count."""
        with mongodb_client.translate_errors():
            return {
                source: {row["producer_id"]: _result(row) for row in collection.find({"model": self._model})}
                for source, collection in self._results.items()
            }

    def stored(self) -> dict[int, dict[str, int]]:
        """Return the number of stored images and inferences by producer.

        Inferences are counted first, so what is stored in between never makes the pending ones negative.
        """
        with mongodb_client.translate_errors():
            producers = [number for number in self._images.distinct("producer_id") if isinstance(number, int)]
            inferred = {number: self._inferences.count_documents({"model": self._model, "producer_id": number}) for number in producers}
            return {
                number: {"stored": self._images.count_documents({"producer_id": number}), "inferred": inferred[number]}
                for number in sorted(producers)
            }

    def documents(self, image_id: str) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """Return the documents of an image and of its inference by this model, None for one that is not stored."""
        with mongodb_client.translate_errors():
            image = self._images.find_one({"_id": image_id}, {"image": False})
            return image, self._inferences.find_one({"_id": f"{image_id}/{self._model}"})

    def stream_offsets(self, producer_id: int) -> dict[int, int]:
        """Return the offset up to which the stream has counted each partition, as its result of a producer says."""
        with mongodb_client.translate_errors():
            row = self._results["stream"].find_one({"producer_id": producer_id, "model": self._model}) or {}
        return {int(partition): int(offset) for partition, offset in (row.get("offsets") or {}).items()}


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    at = row.get("updated_at")
    counted_at = at.timestamp() if isinstance(at, datetime) else None
    return {"incorrect": int(row["incorrect_count"]), "total": int(row["total_count"]), "at": counted_at}
