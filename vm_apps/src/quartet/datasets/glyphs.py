"""The data set that the project makes itself: the ten classes drawn from a colour-emoji font, varied, seeded.

The font is Debian's fonts-noto-color-emoji. Every image has a random size, rotation, place, background and noise.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from quartet.contracts.image import IMAGE_SIDE
from quartet.contracts.labels import LABELS
from quartet.datasets.source import Pixels
from quartet.runtime.errors import ExitCode, QuartetError

FONT: Final = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
#: The one size that the font's bitmaps have
_FONT_SIZE: Final = 109
_MASTER: Final = 64
_SIZES: Final = {"train": 50_000, "test": 10_000}
# Bumped when an image of the same seed and position would look different
_VERSION: Final = 1

GLYPHS: Final = {
    "airplane": "✈🛩🛫",
    "automobile": "🚗🚙🚘",
    "bird": "🐦🕊🦅",
    "cat": "🐱🐈😺",
    "deer": "🦌",
    "dog": "🐶🐕🐩",
    "frog": "🐸",
    "horse": "🐴🐎",
    "ship": "🚢⛴🛳",
    "truck": "🚚🚛",
}


class Glyphs:
    """A split of the glyphs. Splits and seeds give different images of the same classes.

    Raises:
        QuartetError: INPUT, the font is not installed.
    """

    def __init__(self, split: str, seed: int) -> None:
        self._split = list(_SIZES).index(split)
        self._seed = seed
        self._size = _SIZES[split]
        self._masters = {label: [_master(glyph) for glyph in GLYPHS[label]] for label in LABELS}
        drawn = b"".join(master.tobytes() for masters in self._masters.values() for master in masters)
        self.digest = hashlib.sha256(f"glyphs/{_VERSION}/{split}/{seed}/".encode() + drawn).hexdigest()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, position: int) -> tuple[Pixels, str]:
        random = np.random.default_rng((self._seed, self._split, position))
        label = LABELS[int(random.integers(len(LABELS)))]
        masters = self._masters[label]
        return _draw(masters[int(random.integers(len(masters)))], random), label


def _draw(master: Image.Image, random: np.random.Generator) -> Pixels:
    side = int(random.integers(22, 33))
    glyph = master.rotate(float(random.uniform(-20, 20)), Image.Resampling.BILINEAR).resize((side, side), Image.Resampling.BOX)
    image = Image.fromarray(_background(random), "RGB")
    place = (int(random.integers(0, IMAGE_SIDE - side + 1)), int(random.integers(0, IMAGE_SIDE - side + 1)))
    image.paste(glyph, place, glyph)
    noisy = np.asarray(image, np.float32) + random.normal(0, float(random.uniform(0, 8)), (IMAGE_SIDE, IMAGE_SIDE, 3))
    return np.ascontiguousarray(noisy.clip(0, 255).astype(np.uint8).transpose(2, 0, 1))


def _background(random: np.random.Generator) -> Pixels:
    """Return a gradient between two colours in a random direction, 32 x 32 x 3."""
    first, second = random.uniform(0, 255, (2, 3))
    angle = float(random.uniform(0, 2 * np.pi))
    rows, columns = np.mgrid[0:IMAGE_SIDE, 0:IMAGE_SIDE] / (IMAGE_SIDE - 1)
    share = ((rows - 0.5) * np.sin(angle) + (columns - 0.5) * np.cos(angle)) / np.sqrt(2) + 0.5
    pixels: Pixels = (first + (second - first) * share[:, :, None]).astype(np.uint8)
    return pixels


@cache
def _font() -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(str(FONT), _FONT_SIZE)
    except OSError as error:
        raise QuartetError(ExitCode.INPUT, f"{FONT}: {error}; install the Debian package fonts-noto-color-emoji") from None


@cache
def _master(glyph: str) -> Image.Image:
    """Return a glyph, cropped and centred, as a square RGBA image."""
    canvas = Image.new("RGBA", (160, 160))
    ImageDraw.Draw(canvas).text((10, 10), glyph, font=_font(), embedded_color=True)
    box = canvas.getbbox()
    if box is None:
        raise QuartetError(ExitCode.INPUT, f"{FONT} does not have the glyph {glyph}")
    cropped = canvas.crop(box)
    side = max(cropped.size)
    square = Image.new("RGBA", (side, side))
    square.paste(cropped, ((side - cropped.width) // 2, (side - cropped.height) // 2))
    return square.resize((_MASTER, _MASTER), Image.Resampling.LANCZOS)
