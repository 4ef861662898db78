"""Where images come from. A data set has a fixed size and order; position i always gives the same image."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.settings import Dataset

#: 3 x 32 x 32, uint8: planes red, green, blue
Pixels = NDArray[np.uint8]


class ImageSource(Protocol):
    """A split of a data set."""

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, position: int) -> tuple[Pixels, str | None]:
        """Return the image at a position, planar, and its label."""

    @property
    def digest(self) -> str:
        """What the images are made of, as a digest: another digest is another data set."""


def open_dataset(dataset: Dataset, split: str, seed: int) -> ImageSource:
    """Open a split of a data set.

    Raises:
        QuartetError: INPUT, its folder or archive is not what it should be.
    """
    # each kind's libraries are loaded for that kind alone
    if dataset.kind == "glyphs":
        from quartet.datasets.glyphs import Glyphs  # noqa: PLC0415

        return Glyphs(split, seed)
    if dataset.path is None:
        raise QuartetError(ExitCode.INPUT, f"data set {dataset.kind} needs dataset.path")
    if dataset.kind == "cifar10":
        from quartet.datasets.cifar10 import Cifar10  # noqa: PLC0415

        return Cifar10(Path(dataset.path), split)
    from quartet.datasets.folder import Folder  # noqa: PLC0415

    return Folder(Path(dataset.path))
