"""A user's own images: one folder a class, decoded and resized here, so that only 32x32 pixels ever travel."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from quartet.contracts.image import IMAGE_SIDE
from quartet.contracts.labels import LABELS
from quartet.datasets.source import Pixels
from quartet.runtime.errors import ExitCode, QuartetError

_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg"})
_MOST_PIXELS: Final = 50_000_000
_FORMATS: Final = ("PNG", "JPEG")


class Folder:
    """Images of `CLASS/*.{png,jpg,jpeg}`, in the order of their hashed names, so that classes are mixed.

    Raises:
        QuartetError: INPUT, there is no such folder, no image, an unknown class or a file that is not an image.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise QuartetError(ExitCode.INPUT, f"{path} is not a folder")
        unknown = sorted(item.name for item in path.iterdir() if item.is_dir() and item.name not in LABELS)
        if unknown:
            raise QuartetError(ExitCode.INPUT, f"{path}: unknown classes {', '.join(unknown)}; the classes are {', '.join(LABELS)}")
        files = [file for label in LABELS for file in (path / label).glob("*") if file.suffix.lower() in _SUFFIXES]
        if not files:
            raise QuartetError(ExitCode.INPUT, f"{path} has no images: they must be in folders named by class, such as {path}/cat/1.png")
        self._files = sorted(files, key=lambda file: hashlib.sha256(f"{file.parent.name}/{file.name}".encode()).digest())
        names = (f"{file.parent.name}/{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in self._files)
        self.digest = hashlib.sha256("\n".join(names).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, position: int) -> tuple[Pixels, str]:
        file = self._files[position]
        try:
            with Image.open(file, formats=_FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise QuartetError(ExitCode.INPUT, f"{file} has more than {_MOST_PIXELS:,} pixels")
                small = image.convert("RGB").resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BOX if image.width > IMAGE_SIDE else None)
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise QuartetError(ExitCode.INPUT, f"{file} is not a readable image: {error}") from None
        return np.ascontiguousarray(np.asarray(small, np.uint8).transpose(2, 0, 1)), file.parent.name
