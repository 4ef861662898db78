"""The wall: the inferences that are shown, and their images once the database has them. Memory is bounded by `SIZE` and `_KEPT_IMAGES`."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from quartet.console.png import encode_png
from quartet.contracts.inference import Inference

SIZE: Final = 24
#: Images kept as PNG for all pages, about 2.5 KB each
_KEPT_IMAGES: Final = 256


def picture(inference: Inference) -> dict[str, Any]:
    """Return what the page shows of an inference. `at`: seconds since the epoch; `stored`: whether the image can be fetched."""
    return {
        "id": inference.id,
        "producer": inference.producer_id,
        "prediction": inference.image_prediction,
        "truth": inference.actual_value,
        "wrong": inference.is_incorrect,
        "confidence": round(inference.confidence, 3),
        "at": inference.inferred_at / 1_000_000,
        "delay": max(0, inference.inferred_at - inference.captured_at) / 1_000_000,
        "stored": False,
    }


class Wall:
    """The pictures shown last, written by two threads: one adds inferences, the other their images."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pictures: deque[dict[str, Any]] = deque(maxlen=SIZE)
        self._images: OrderedDict[str, bytes] = OrderedDict()

    def add(self, inferences: Iterable[Inference]) -> list[dict[str, Any]]:
        """Show inferences; return them as pictures. One that is shown already (a redelivery) is left out."""
        added = []
        with self._lock:
            shown = {row["id"] for row in self._pictures}
            for inference in inferences:
                if inference.id not in shown:
                    row = picture(inference)
                    row["stored"] = inference.id in self._images
                    self._pictures.append(row)
                    added.append(dict(row))
        return added

    def pictures(self) -> list[dict[str, Any]]:
        """Return the pictures, oldest first."""
        with self._lock:
            return [dict(row) for row in self._pictures]

    def waiting(self) -> list[str]:
        """Return the ids of pictures whose image is not known to be stored."""
        with self._lock:
            return [row["id"] for row in self._pictures if not row["stored"]]

    def store(self, payloads: Mapping[str, bytes]) -> list[str]:
        """Keep the images of these ids; return the ids of those that are shown."""
        encoded = {image_id: encode_png(payload) for image_id, payload in payloads.items()}
        with self._lock:
            self._images.update(encoded)
            while len(self._images) > _KEPT_IMAGES:
                self._images.popitem(last=False)
            found = []
            for row in self._pictures:
                if row["id"] in encoded and not row["stored"]:
                    row["stored"] = True
                    found.append(row["id"])
        return found

    def image(self, image_id: str) -> bytes | None:
        """Return the PNG of an image, if it is kept."""
        with self._lock:
            return self._images.get(image_id)
