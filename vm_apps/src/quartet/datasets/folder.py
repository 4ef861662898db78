"""A user's own images: one folder a class, decoded and resized here, so that only 32x32 pixels ever travel."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from quartet.contracts.labels import LABELS
from quartet.datasets import image_file
from quartet.datasets.source import Pixels
from quartet.runtime.errors import ExitCode, QuartetError


class Folder:
    """Images of `CLASS/*.{png,jpg,jpeg}`, in the order of their hashed names, so that classes are mixed.

    Extensions count in any case. Names that begin with a dot are skipped: macOS, editors and file managers leave such files.

    Raises:
        QuartetError: INPUT, there is no such folder, no image, an unknown class or a file that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise QuartetError(ExitCode.INPUT, f"{path} is not a folder")
        unknown = sorted(item.name for item in path.iterdir() if item.is_dir() and not _is_hidden(item) and item.name not in LABELS)
        if unknown:
            raise QuartetError(ExitCode.INPUT, f"{path}: unknown classes {', '.join(unknown)}; the classes are {', '.join(LABELS)}")
        files = [file for label in LABELS for file in (path / label).glob("*") if _is_image(file)]
        if not files:
            raise QuartetError(ExitCode.INPUT, f"{path} has no images: they must be in folders named by class, such as {path}/cat/1.png")
        self._files = sorted(files, key=lambda file: hashlib.sha256(_name(file)).digest())
        names = (_name(file) + b" " + _sha256(file).encode() for file in self._files)
        self.digest = hashlib.sha256(b"\n".join(names)).hexdigest()

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, position: int) -> tuple[Pixels, str]:
        file = self._files[position]
        return image_file.read(file), file.parent.name


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in image_file.SUFFIXES and not _is_hidden(path) and path.is_file()


def _name(file: Path) -> bytes:
    """Return `CLASS/FILE` as the file system has it: a name need not be UTF-8."""
    return os.fsencode(f"{file.parent.name}/{file.name}")


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise QuartetError(ExitCode.INPUT, f"{file} cannot be read: {error.strerror}") from None
