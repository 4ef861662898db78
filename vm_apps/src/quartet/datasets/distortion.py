"""What a failing camera does to its images. Seeded by position, so a resent image has the same bytes."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from quartet.contracts.image import IMAGE_SIDE
from quartet.datasets.source import Pixels
from quartet.runtime.settings import Distortion


def distort(pixels: Pixels, distortion: Distortion, seed: int, position: int) -> Pixels:
    """Return a distorted copy of an image (3 x 32 x 32, uint8); severity 0 changes nothing."""
    if distortion.kind == "none" or distortion.severity == 0:
        return pixels
    random = np.random.default_rng((seed, position, 1))
    if distortion.kind == "noise":
        return _noise(pixels, distortion.severity, random)
    if distortion.kind == "blur":
        return _blur(pixels, distortion.severity)
    return _occlusion(pixels, distortion.severity, random)


def _noise(pixels: Pixels, severity: float, random: np.random.Generator) -> Pixels:
    """Mix with noise: at severity 1 nothing of the image is left."""
    noise = random.integers(0, 256, pixels.shape, np.uint8)
    return (pixels * (1 - severity) + noise * severity).astype(np.uint8)


def _blur(pixels: Pixels, severity: float) -> Pixels:
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)), "RGB")
    return np.ascontiguousarray(np.asarray(image.filter(ImageFilter.GaussianBlur(severity * 8)), np.uint8).transpose(2, 0, 1))


def _occlusion(pixels: Pixels, severity: float, random: np.random.Generator) -> Pixels:
    """Cover a square whose area is that share of the image with black."""
    side = round(IMAGE_SIDE * severity**0.5)
    row, column = (int(value) for value in random.integers(0, IMAGE_SIDE - side + 1, 2))
    covered = pixels.copy()
    covered[:, row : row + side, column : column + side] = 0
    return covered
