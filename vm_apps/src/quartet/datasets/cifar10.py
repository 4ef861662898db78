"""CIFAR-10 in its official binary layout, from a folder or a tar archive. Nothing is ever unpickled.

The layout is described at https://www.cs.toronto.edu/~kriz/cifar.html: records of one byte of label and 3,072 bytes of planar RGB.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from quartet.contracts.image import IMAGE_BYTES
from quartet.contracts.labels import LABELS
from quartet.datasets.source import Pixels
from quartet.runtime.errors import ExitCode, QuartetError

_FOLDER: Final = "cifar-10-batches-bin"
_FILES: Final = {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)}
_RECORD: Final = 1 + IMAGE_BYTES
_RECORDS_A_FILE: Final = 10_000


class Cifar10:
    """A split of CIFAR-10: 50,000 or 10,000 images.

    Raises:
        QuartetError: INPUT, a file is missing or is not in the binary layout.
    """

    def __init__(self, path: Path, split: str) -> None:
        contents = [_read(path, name) for name in _FILES[split]]
        self.digest = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()
        self._records = np.frombuffer(b"".join(contents), np.uint8).reshape(-1, _RECORD)
        if int(self._records[:, 0].max()) >= len(LABELS):
            raise QuartetError(ExitCode.INPUT, f"{path}: a label is not one of {len(LABELS)} classes")

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, position: int) -> tuple[Pixels, str]:
        record = self._records[position]
        return record[1:].reshape(3, 32, 32), LABELS[record[0]]


def _read(path: Path, name: str) -> bytes:
    if path.is_dir():
        file = next((place for place in (path / name, path / _FOLDER / name) if place.is_file()), None)
        if file is None:
            raise QuartetError(ExitCode.INPUT, f"{path}: {name} is not there; it must be the folder {_FOLDER} of CIFAR-10's binary version")
        content = file.read_bytes()
    elif path.is_file():
        content = _read_archive(path, name)
    else:
        raise QuartetError(ExitCode.INPUT, f"{path} does not exist; give the folder {_FOLDER} or cifar-10-binary.tar.gz")
    if len(content) != _RECORD * _RECORDS_A_FILE:
        message = f"{path}: {name} has {len(content)} bytes instead of {_RECORD * _RECORDS_A_FILE}: not CIFAR-10's binary version"
        raise QuartetError(ExitCode.INPUT, message)
    return content


def _read_archive(path: Path, name: str) -> bytes:
    """Read one member in memory; nothing is written, so no path in the archive can lead anywhere."""
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if (
                    PurePosixPath(member.name) == PurePosixPath(_FOLDER, name)
                    and member.isreg()
                    and member.size <= _RECORD * _RECORDS_A_FILE
                ):
                    content = archive.extractfile(member)
                    return content.read() if content is not None else b""
    except (tarfile.TarError, OSError, EOFError) as error:
        raise QuartetError(ExitCode.INPUT, f"{path} is not a readable tar archive: {error}") from None
    raise QuartetError(ExitCode.INPUT, f"{path}: {_FOLDER}/{name} is not in the archive; it must be CIFAR-10's binary version")
