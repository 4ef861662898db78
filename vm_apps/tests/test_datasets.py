"""The data sets: the same position is always the same image, and what is not a data set is refused by name."""

from __future__ import annotations

import errno
import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from quartet.contracts.labels import LABELS
from quartet.datasets.catalog import open_dataset
from quartet.datasets.distortion import distort
from quartet.datasets.glyphs import FONT
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.settings import Dataset, Distortion

needs_font = pytest.mark.skipif(not FONT.exists(), reason=f"{FONT} is not installed")
RECORD = 3073


def batch(offset: int = 0) -> bytes:
    records = np.zeros((10_000, RECORD), np.uint8)
    records[:, 0] = (np.arange(10_000) + offset) % 10
    records[:, 1] = np.arange(10_000) % 256
    return records.tobytes()


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    (folder / "test_batch.bin").write_bytes(batch())
    return tmp_path


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@needs_font
def test_glyphs_are_the_same_for_a_seed_and_others_for_another() -> None:
    first, again, other = (open_dataset(Dataset(kind="glyphs"), "test", seed) for seed in (1, 1, 2))
    train = open_dataset(Dataset(kind="glyphs"), "train", 1)
    pixels, label = first[17]
    assert pixels.shape == (3, 32, 32) and pixels.dtype == np.uint8 and label in LABELS
    assert np.array_equal(pixels, again[17][0]) and first.digest == again.digest
    assert not np.array_equal(pixels, other[17][0]) and first.digest != other.digest
    assert not np.array_equal(pixels, train[17][0])
    assert {first[position][1] for position in range(200)} == set(LABELS)


@pytest.mark.parametrize("place", ["", "cifar-10-batches-bin"])
def test_cifar10_from_its_folder_or_the_one_above(cifar: Path, place: str) -> None:
    images = open_dataset(Dataset(kind="cifar10", path=str(cifar / place)), "test", 1)
    assert len(images) == 10_000
    pixels, label = images[12]
    assert (label, pixels[0, 0, 0]) == ("bird", 12)


def test_cifar10_from_an_archive_is_the_same_data_set(cifar: Path, tmp_path: Path) -> None:
    content = (cifar / "cifar-10-batches-bin/test_batch.bin").read_bytes()
    packed = archive(tmp_path / "cifar-10-binary.tar.gz", {"cifar-10-batches-bin/test_batch.bin": content})
    unpacked = open_dataset(Dataset(kind="cifar10", path=str(cifar)), "test", 1)
    assert open_dataset(Dataset(kind="cifar10", path=str(packed)), "test", 1).digest == unpacked.digest


@pytest.mark.parametrize("name", ["../test_batch.bin", "/tmp/test_batch.bin", "other/test_batch.bin"])
def test_an_archive_whose_paths_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    packed = archive(tmp_path / "cifar.tar.gz", {name: batch()})
    with pytest.raises(QuartetError, match="is not in the archive"):
        open_dataset(Dataset(kind="cifar10", path=str(packed)), "test", 1)


def test_a_pickle_is_not_a_batch_and_is_not_executed(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "exploded",))  # type: ignore[return-value]

    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    (folder / "test_batch.bin").write_bytes(pickle.dumps(Bomb()))
    (folder / "test_batch").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(QuartetError, match="not CIFAR-10's binary version") as refused:
        open_dataset(Dataset(kind="cifar10", path=str(tmp_path)), "test", 1)
    assert refused.value.code is ExitCode.INPUT
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(("path", "words"), [("nowhere", "does not exist"), (".", "test_batch.bin is not there")])
def test_a_folder_without_cifar10_is_named(tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(QuartetError, match=words):
        open_dataset(Dataset(kind="cifar10", path=str(tmp_path / path)), "test", 1)


def test_a_folder_of_ones_own_images(tmp_path: Path) -> None:
    for label, colour in (("cat", (255, 0, 0)), ("dog", (0, 255, 0))):
        (tmp_path / label).mkdir()
        Image.new("RGB", (100, 60), colour).save(tmp_path / label / "1.png")
        Image.new("RGB", (8, 8), colour).save(tmp_path / label / "2.JPG")
    images = open_dataset(Dataset(kind="folder", path=str(tmp_path)), "test", 1)
    assert len(images) == 4
    for position in range(4):
        pixels, label = images[position]
        assert pixels.shape == (3, 32, 32)
        assert pixels[0 if label == "cat" else 1].min() > 250


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "has no images"),
        (lambda path: (path / "zebra").mkdir(), "unknown classes zebra; the classes are airplane"),
    ],
)
def test_a_folder_that_is_not_a_data_set_is_refused(tmp_path: Path, make: object, words: str) -> None:
    make(tmp_path)  # type: ignore[operator]
    with pytest.raises(QuartetError, match=words):
        open_dataset(Dataset(kind="folder", path=str(tmp_path)), "test", 1)


def test_hidden_files_and_folders_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / ".git").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "cat/1.png")
    before = open_dataset(Dataset(kind="folder", path=str(tmp_path)), "test", 1).digest
    (tmp_path / "cat/._1.png").write_bytes(b"what macOS leaves beside a file")
    (tmp_path / "cat/.directory.png").mkdir()
    images = open_dataset(Dataset(kind="folder", path=str(tmp_path)), "test", 1)
    assert (len(images), images.digest) == (1, before)


@pytest.mark.parametrize("name", ["1.JPG", "1.Jpeg", "1.PNG"])
def test_extensions_count_in_any_case(tmp_path: Path, name: str) -> None:
    (tmp_path / "cat").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "cat" / name)
    assert len(open_dataset(Dataset(kind="folder", path=str(tmp_path)), "test", 1)) == 1


def test_a_folder_with_the_name_of_an_image_is_none(tmp_path: Path) -> None:
    (tmp_path / "cat/1.png").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "cat/2.png")
    assert len(open_dataset(Dataset(kind="folder", path=str(tmp_path)), "test", 1)) == 1


def test_a_name_need_not_be_utf8(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "cat/1.png")
    (tmp_path / "cat/1.png").rename(tmp_path / "cat" / os.fsdecode(b"\xff.png"))
    assert len(open_dataset(Dataset(kind="folder", path=str(tmp_path)), "test", 1)) == 1


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cat").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "cat/1.png")

    def refuse(file: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

    # root may read everything, so its mode would not do
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(QuartetError, match=r"1\.png cannot be read: Permission denied"):
        open_dataset(Dataset(kind="folder", path=str(tmp_path)), "test", 1)


def test_a_file_that_is_not_an_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat/broken.png").write_bytes(b"not an image")
    images = open_dataset(Dataset(kind="folder", path=str(tmp_path)), "test", 1)
    with pytest.raises(QuartetError, match=r"broken\.png is not a readable image"):
        images[0]


@pytest.mark.parametrize("kind", ["noise", "blur", "occlusion"])
def test_a_distortion_is_repeatable_and_grows(kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8)
    kept = pixels.copy()

    def change(severity: float) -> float:
        spoilt = distort(pixels, Distortion(kind=kind, severity=severity), 1, 7)  # type: ignore[arg-type]
        assert np.array_equal(spoilt, distort(pixels, Distortion(kind=kind, severity=severity), 1, 7))  # type: ignore[arg-type]
        return float(np.abs(spoilt.astype(int) - pixels).mean())

    assert change(0) == 0 < change(0.2) < change(0.9)
    assert np.array_equal(pixels, kept)
