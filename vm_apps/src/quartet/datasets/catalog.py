"""The kinds of data sets, by the names that the settings have for them."""

from __future__ import annotations

from pathlib import Path

from quartet.datasets.source import ImageSource
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.settings import Dataset


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
