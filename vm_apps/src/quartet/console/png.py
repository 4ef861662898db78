"""Encodes an image of the contract `image/1` as a PNG, with the standard library alone.

The format: https://www.w3.org/TR/png-3/ (8 bits a channel, colour type 2, filter 0 in each row).
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

SIDE: Final = 32
_PLANE: Final = SIDE * SIDE
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def encode_png(payload: bytes) -> bytes:
    """Return the PNG of 3,072 bytes of planar RGB, 32 x 32.

    Raises:
        ValueError: the payload has another size.
    """
    if len(payload) != 3 * _PLANE:
        raise ValueError(f"an image has {3 * _PLANE} bytes, this one {len(payload)}")
    pixels = bytearray(3 * _PLANE)
    for channel in range(3):
        pixels[channel::3] = payload[channel * _PLANE : (channel + 1) * _PLANE]
    rows = b"".join(b"\0" + pixels[3 * SIDE * row : 3 * SIDE * (row + 1)] for row in range(SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 6)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
