"""One image's way through the pipeline, as far as the database tells it. `quartet trace` also reads the topics, for which the console has no right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from quartet.contracts.ids import parse_id


class Documents(Protocol):
    """Where an image's documents are (quartet.console.database.Database)."""

    def documents(self, image_id: str) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """Return the documents of an image and of its inference."""

    def stream_offsets(self, producer_id: int) -> dict[int, int]:
        """Return the offset up to which the stream has counted each partition."""


def find_trace(database: Documents, image_id: str) -> dict[str, Any] | None:
    """Return the steps of an image, oldest first, each {name, at, detail}; None if the database knows nothing of it.

    `at`: microseconds since the epoch, None where no time is kept.

    Raises:
        ContractError: not an image id.
        Unavailable, QuartetError
    """
    producer_id = parse_id(image_id)[0]
    image, inference = database.documents(image_id)
    if image is None and inference is None:
        return None
    first = image or inference or {}
    steps = [{"name": "captured", "at": first.get("captured_at"), "detail": f"by producer {producer_id}, run {image_id.split('-')[1]}"}]
    if inference is not None:
        text = f"{inference['image_prediction']}, {inference['confidence']:.1%} sure, by model {inference['model']}"
        steps.append({"name": "classified", "at": inference.get("inferred_at"), "detail": text})
    if image is not None:
        text = f"from {_place(image['kafka'])}, sha256 {image['payload_sha256'][:16]}…"
        steps.append({"name": "image stored", "at": image.get("received_at"), "detail": text})
    steps.sort(key=lambda step: step["at"] or 0)
    if inference is not None:
        steps.append({"name": "inference stored", "at": None, "detail": f"from {_place(inference['kafka'])}"})
        steps.append({"name": "counted", "at": None, "detail": _counted(inference, database.stream_offsets(producer_id))})
    return {
        "id": image_id,
        "truth": first.get("actual_value"),
        "prediction": inference and inference["image_prediction"],
        "stored": image is not None,
        "steps": steps,
        "left_out": f"Refused records are not shown here: make trace ID={image_id}",
    }


def _place(kafka: Mapping[str, Any]) -> str:
    return f"{kafka['topic']}, partition {kafka['partition']}, offset {kafka['offset']}"


def _counted(inference: Mapping[str, Any], reached: Mapping[int, int]) -> str:
    truth = inference.get("actual_value")
    if truth is None:
        return "no: the image has no label"
    outcome = "right" if truth == inference["image_prediction"] else f"wrong: it is {truth}"
    place = inference["kafka"]
    done = place["offset"] < reached.get(place["partition"], 0)
    return f"as {outcome}; the stream has {'counted it' if done else 'not reached it yet'}"
