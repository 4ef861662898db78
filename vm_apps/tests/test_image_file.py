"""Image files as they come: kinds of pixels, turned cameras, damage. What a viewer shows is what is sent, or the file is named."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from quartet.datasets import image_file
from quartet.datasets.source import Pixels
from quartet.runtime.errors import ExitCode, QuartetError

#: Number that EXIF has for the orientation
ORIENTATION = 0x112
#: Where the white quarter of an image is shown, if it is stored top left, by EXIF orientation
QUARTERS = {
    1: "top left",
    2: "top right",
    3: "bottom right",
    4: "bottom left",
    5: "top left",
    6: "top right",
    7: "bottom right",
    8: "bottom left",
}


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(side: int, depth: int, colours: int, rows: bytes, *more: bytes) -> bytes:
    """Return a PNG file of kinds that Pillow reads and cannot write. `colours`: 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA."""
    header = struct.pack(">IIBBBBB", side, side, depth, colours, 0, 0, 0)
    body = b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


def png16(colours: int, upper: tuple[int, ...], lower: tuple[int, ...]) -> bytes:
    """Return a 16-bit PNG whose halves have these channels."""
    row = {half: b"\0" + struct.pack(f">{len(half)}H", *half) * 64 for half in (upper, lower)}
    return png(64, 16, colours, row[upper] * 32 + row[lower] * 32)


def halves(pixels: Pixels) -> list[list[int]]:
    """Return the colours above and below the middle."""
    return [pixels[:, 4, 16].tolist(), pixels[:, 28, 16].tolist()]


@pytest.mark.parametrize(
    ("colours", "upper", "lower", "seen"),
    [
        (0, (0x8000,), (0x0A00,), [[128] * 3, [10] * 3]),
        (2, (0x8000, 0, 0xFFFF), (0, 0x0A00, 0), [[128, 0, 255], [0, 10, 0]]),
        (4, (0x8000, 0xFFFF), (0x0A00, 0), [[128] * 3, [255] * 3]),
        (6, (0x8000, 0, 0, 0xFFFF), (0, 0, 0, 0), [[128, 0, 0], [255] * 3]),
    ],
    ids=["grey", "RGB", "grey and alpha", "RGBA"],
)
def test_16_bits_are_scaled_to_8(
    tmp_path: Path, colours: int, upper: tuple[int, ...], lower: tuple[int, ...], seen: list[list[int]]
) -> None:
    (tmp_path / "1.png").write_bytes(png16(colours, upper, lower))
    assert halves(image_file.read(tmp_path / "1.png")) == seen


def test_small_16_bit_images_are_scaled_too(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0x8000, np.uint16)).save(tmp_path / "1.png")
    assert np.unique(image_file.read(tmp_path / "1.png")).tolist() == [128]


def half_transparent(mode: str) -> Image.Image:
    """Return a red image whose lower half is transparent, and black below the transparency."""
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:32] = (255, 0, 0, 255)
    return Image.fromarray(pixels, "RGBA").convert(mode)


def save_palette(file: Path) -> None:
    image = Image.new("P", (64, 64), 1)
    image.putpalette([255, 0, 0, 0, 0, 0])
    image.paste(0, (0, 0, 64, 32))
    image.save(file, transparency=1)


def save_grey_with_a_transparent_level(file: Path) -> None:
    image = Image.new("L", (64, 64), 0)
    image.paste(76, (0, 0, 64, 32))
    image.save(file, transparency=0)


@pytest.mark.parametrize(
    ("save", "red"),
    [
        (lambda file: half_transparent("RGBA").save(file), [255, 0, 0]),
        (lambda file: half_transparent("LA").save(file), [76] * 3),
        (save_palette, [255, 0, 0]),
        (save_grey_with_a_transparent_level, [76] * 3),
    ],
    ids=["RGBA", "LA", "palette", "grey with a transparent level"],
)
def test_what_is_transparent_is_white(tmp_path: Path, save: Callable[[Path], None], red: list[int]) -> None:
    """As a page shows it, and not what happens to be stored below, which is black more often than not."""
    save(tmp_path / "1.png")
    assert halves(image_file.read(tmp_path / "1.png")) == [red, [255] * 3]


@pytest.mark.parametrize(
    ("mode", "name", "seen"),
    [("CMYK", "1.jpg", [254, 0, 0]), ("1", "1.png", [255] * 3), ("P", "1.png", [255, 0, 0]), ("L", "1.jpg", [76] * 3)],
)
def test_other_colours_become_rgb(tmp_path: Path, mode: str, name: str, seen: list[int]) -> None:
    image = Image.new("RGB", (64, 64), (255, 0, 0) if mode != "1" else (255, 255, 255))
    image.convert(mode).save(tmp_path / name, quality=95)
    assert np.abs(image_file.read(tmp_path / name)[:, 16, 16].astype(int) - seen).max() <= 2


@pytest.mark.parametrize("orientation", QUARTERS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "MPO", "16-bit PNG"])
def test_an_image_is_turned_as_its_camera_says(tmp_path: Path, kind: str, orientation: int) -> None:
    pixels = np.zeros((48, 96, 3), np.uint8)
    pixels[:24, :48] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257) if kind == "16-bit PNG" else Image.fromarray(pixels)
    file = tmp_path / ("1.png" if kind.endswith("PNG") else "1.jpg")
    # MPO: what phones write, with a second image behind the first
    more = {"save_all": True, "append_images": [image]} if kind == "MPO" else {}
    image.save(file, format=kind.removeprefix("16-bit "), exif=exif, **more)
    seen = image_file.read(file)
    places = {"top left": (8, 8), "top right": (8, 24), "bottom left": (24, 8), "bottom right": (24, 24)}
    assert {place for place, (row, column) in places.items() if seen[0, row, column] > 200} == {QUARTERS[orientation]}


def noise(name: str, folder: Path) -> bytes:
    file = folder / name
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(file)
    return file.read_bytes()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: png(20_000, 8, 0, b""), "has more than 50,000,000 pixels"),
        (lambda folder: png(8_000, 8, 0, b""), "has more than 50,000,000 pixels"),
        (lambda folder: noise("1.png", folder)[:500], "is not a readable image"),
        (lambda folder: noise("1.png", folder)[:20], "is not a readable image"),
        (lambda folder: noise("1.jpg", folder)[:1500], "is not a readable image"),
        (lambda folder: b"", "is not a readable image"),
        (lambda folder: b"GIF89a not of these formats", "is not a readable image"),
        # Pillow raises a ValueError
        (lambda folder: png(4, 8, 0, bytes(20), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000)))), "is not a readable image"),
    ],
    ids=["20,000 x 20,000", "8,000 x 8,000", "cut off", "cut off in its header", "cut off JPEG", "empty", "GIF", "a bomb of text"],
)
def test_a_file_that_cannot_be_decoded_is_named(tmp_path: Path, make: Callable[[Path], bytes], words: str) -> None:
    content = make(tmp_path)
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(QuartetError, match=rf"bad\.png {words}") as refused:
        image_file.read(tmp_path / "bad.png")
    assert refused.value.code is ExitCode.INPUT


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuartetError, match=r"gone\.png is not a readable image: .*No such file"):
        image_file.read(tmp_path / "gone.png")
