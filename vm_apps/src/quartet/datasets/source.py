"""What a data set gives. It has a fixed size and order; position i always gives the same image."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
