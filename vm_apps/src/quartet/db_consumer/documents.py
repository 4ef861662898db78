"""The documents that the DB consumers store: how a record becomes a document of its collection."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from bson import Int64

from quartet.contracts.image import decode_image
from quartet.contracts.inference import decode_inference
from quartet.runtime.records import Record


class Contract(Protocol):
    """Converts records of a topic into documents."""

    #: Field that must be equal if the document is already stored; None: no comparison
    compared: str | None

    def document(self, record: Record, origin: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document of a record.

        Raises:
            ContractError: the record violates its contract.
        """


class ImageDocuments:
    """Documents of kafka_db.image."""

    compared: str | None = "payload_sha256"

    def document(self, record: Record, origin: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document of an image."""
        image = decode_image(record.key, record.value, record.headers)
        label = {} if image.actual_value is None else {"actual_value": image.actual_value}
        return {
            "_id": image.id,
            "image": image.payload,
            "payload_sha256": image.payload_sha256,
            **label,
            "producer_id": image.producer_id,
            "run": image.run,
            "sequence": Int64(image.sequence),
            "captured_at": Int64(image.captured_at),
            "received_at": Int64(time.time_ns() // 1000),
            "kafka": origin,
        }


class InferenceDocuments:
    """Documents of team5_vm3_db.images."""

    # Two inferences of an image by one model may differ in confidence and time; the first one counts.
    compared: str | None = None

    def document(self, record: Record, origin: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document of an inference."""
        inference = decode_inference(record.key, record.value)
        label = {} if inference.actual_value is None else {"actual_value": inference.actual_value}
        return {
            "_id": f"{inference.id}/{inference.model}",
            "id": inference.id,
            "image_prediction": inference.image_prediction,
            **label,
            "producer_id": inference.producer_id,
            "confidence": inference.confidence,
            "model": inference.model,
            "captured_at": Int64(inference.captured_at),
            "inferred_at": Int64(inference.inferred_at),
            "kafka": origin,
        }
