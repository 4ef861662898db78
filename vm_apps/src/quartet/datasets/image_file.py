"""A user's image file as a camera would send it: upright, on white, 8 bits a channel, 32 x 32."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from quartet.contracts.image import IMAGE_SIDE
from quartet.datasets.source import Pixels
from quartet.runtime.errors import ExitCode, QuartetError

#: File name extensions of the formats, in lower case
SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg"})
_FORMATS: Final = ("PNG", "JPEG")
_MOST_PIXELS: Final = 50_000_000


def read(file: Path) -> Pixels:
    """Decode and resize a PNG or JPEG file (3 x 32 x 32, uint8).

    Raises:
        QuartetError: INPUT, the file cannot be read, is damaged or has too many pixels; the message names it.
    """
    try:
        with Image.open(file, formats=_FORMATS) as image:
            if image.width * image.height <= _MOST_PIXELS:
                return _pixels(image)
    except Image.DecompressionBombError:
        # Pillow's own limit is above ours, and is met first where a file is far too large
        pass
    except Exception as error:  # noqa: BLE001 - Pillow's readers raise whatever a damaged file leads them to
        raise QuartetError(ExitCode.INPUT, f"{file} is not a readable image: {error}") from None
    raise QuartetError(ExitCode.INPUT, f"{file} has more than {_MOST_PIXELS:,} pixels")


def _pixels(image: Image.Image) -> Pixels:
    # First made small: what follows would copy the whole image each time, and a large one fills the unit's memory
    small = _with_colours(image).resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BOX if image.width > IMAGE_SIDE else None)
    upright = ImageOps.exif_transpose(small)
    if upright.mode == "I;16":
        # Pillow's own conversion clips at 255; of 16-bit colours its reader keeps the upper byte, as this does
        upright = Image.fromarray((np.asarray(upright, np.uint16) >> 8).astype(np.uint8))
    if upright.mode == "RGBA":
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright)
    return np.ascontiguousarray(np.asarray(upright.convert("RGB"), np.uint8).transpose(2, 0, 1))


def _with_colours(image: Image.Image) -> Image.Image:
    """Return the image in a mode that can be resized without mixing indices or levels: RGB, RGBA or 16-bit grey."""
    if image.mode == "I;16":
        return image
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)
