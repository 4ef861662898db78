"""The images of one producer: its slice of a data set, distorted as configured."""

from __future__ import annotations

import hashlib
from typing import Any

from quartet.datasets.catalog import open_dataset
from quartet.datasets.distortion import distort
from quartet.datasets.source import ImageSource
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.settings import ProducerSettings


class SlicedImages:
    """A producer's slice of a data set, distorted as configured. Sequence n is image n mod (size of the slice)."""

    def __init__(self, chosen: ProducerSettings) -> None:
        if chosen.slice.index >= chosen.slice.of:
            raise QuartetError(ExitCode.CONFIGURATION, f"slice.index {chosen.slice.index} must be below slice.of {chosen.slice.of}")
        self._source: ImageSource = open_dataset(chosen.dataset, chosen.split, chosen.seed)
        self._chosen = chosen
        self._size = len(range(chosen.slice.index, len(self._source), chosen.slice.of))
        if self._size == 0:
            message = f"the data set has {len(self._source)} images, so slice {chosen.slice.index} of {chosen.slice.of} is empty"
            raise QuartetError(ExitCode.INPUT, message)
        # A data set that is sent repeatedly is read, distorted and hashed only once.
        self._kept: dict[int, tuple[bytes, str | None]] = {}
        self._digests: dict[int, bytes] = {}

    @property
    def binding(self) -> dict[str, Any]:
        """The settings that a run is bound to: if one of them changed, an id would name another image."""
        chosen = self._chosen
        return {
            "dataset": chosen.dataset.kind,
            "digest": self._source.digest,
            "split": chosen.split,
            "slice": f"{chosen.slice.index} of {chosen.slice.of}",
            "seed": chosen.seed,
            "distortion": f"{chosen.distortion.kind} {chosen.distortion.severity}",
        }

    def __getitem__(self, sequence: int) -> tuple[bytes, str | None]:
        """Return payload and label of a sequence."""
        place = sequence % self._size
        if place not in self._kept:
            position = self._chosen.slice.index + self._chosen.slice.of * place
            pixels, label = self._source[position]
            distorted = distort(pixels, self._chosen.distortion, self._chosen.seed, position)
            self._kept[place] = (distorted.tobytes(), label)
        return self._kept[place]

    def sha256(self, sequence: int) -> bytes:
        """Return the digest of a sequence's payload (32 bytes)."""
        place = sequence % self._size
        if place not in self._digests:
            self._digests[place] = hashlib.sha256(self[place][0]).digest()
        return self._digests[place]
