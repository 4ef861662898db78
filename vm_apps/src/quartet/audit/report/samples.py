"""Sample images of the report: selection and conversion to PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from quartet.audit import reader
from quartet.mongodb import client as mongodb_client

SAMPLES: Final = 10
"""Number of images shown per producer, wrong ones first."""


@dataclass(frozen=True)
class Sample:
    """A stored image and its prediction."""

    id: str
    payload: bytes
    truth: str | None
    prediction: str | None
    confidence: float | None


def png(payload: bytes, scale: int = 3) -> bytes:
    """Return an image of 3,072 planar bytes as PNG, enlarged without smoothing."""
    pixels = np.frombuffer(payload, np.uint8).reshape(3, 32, 32).transpose(1, 2, 0)
    out = io.BytesIO()
    Image.fromarray(pixels).resize((32 * scale, 32 * scale), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


def fetch_samples(auditor: reader.Auditor, producers: Sequence[int]) -> dict[int, list[Sample]]:
    """Fetch a few images of each producer: wrong ones first, then right ones, the newest of each."""
    found: dict[int, list[Sample]] = {}
    for producer_id in producers:
        base = {"producer_id": producer_id, "model": auditor.settings.model}
        with mongodb_client.translate_errors():
            newest = list(auditor.inference_collection.find(base).sort("_id", -1).limit(500))
            wrong = [d for d in newest if d.get("actual_value") not in (None, d["image_prediction"])]
            right = [d for d in newest if d.get("actual_value") in (None, d["image_prediction"])]
            few = wrong[: max(SAMPLES // 2, SAMPLES - len(right))]
            chosen = few + right[: SAMPLES - len(few)]
            images = {
                d["_id"]: d["image"] for d in auditor.image_collection.find({"_id": {"$in": [d["id"] for d in chosen]}}, {"image": 1})
            }
        found[producer_id] = [
            Sample(d["id"], images[d["id"]], d.get("actual_value"), d["image_prediction"], d["confidence"])
            for d in chosen
            if d["id"] in images
        ]
    return found
