"""The set of sequences seen of a run: exact, compact, with a platform-independent serialisation.

Standard library only, so that it also runs in Spark's executors.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNK_BITS = 4096
"""Sequences per bitmap chunk; a full chunk takes no space of its own, only a part of a range."""

_CHUNK_BYTES = CHUNK_BITS // 8
_VERSION = 1
_BITMAP = 0
_LIST = 1
_MAX_VARINT_BYTES = 10


class CountingError(ValueError):
    """Bytes that are not a serialised `SeenSequences` of a known version."""


class SeenSequences:
    """The exact set of the sequences of one run, in at most about one bit per image.

    Sequences are dense, so nearly all chunks of `CHUNK_BITS` become full; full chunks are kept as sorted disjoint
    ranges, the few others as bitmaps.
    """

    def __init__(self, sequences: Iterable[int] = ()) -> None:
        self._starts: list[int] = []  # full chunks: _starts[i] .. _ends[i] - 1, sorted, disjoint and not adjacent
        self._ends: list[int] = []
        self._partial: dict[int, bytearray] = {}
        self._sizes: dict[int, int] = {}
        for sequence in sequences:
            self.add(sequence)

    def add(self, sequence: int) -> bool:
        """Add a sequence (>= 0); return whether it was new."""
        if sequence < 0:
            raise ValueError(f"a sequence must not be negative: {sequence}")
        chunk, bit = divmod(sequence, CHUNK_BITS)
        if self._is_full(chunk):
            return False
        bitmap = self._partial.get(chunk)
        if bitmap is None:
            bitmap = self._partial[chunk] = bytearray(_CHUNK_BYTES)
            self._sizes[chunk] = 0
        mask = 1 << (bit & 7)
        if bitmap[bit >> 3] & mask:
            return False
        bitmap[bit >> 3] |= mask
        self._sizes[chunk] += 1
        if self._sizes[chunk] == CHUNK_BITS:
            del self._partial[chunk], self._sizes[chunk]
            self._insert_full(chunk)
        return True

    def __contains__(self, sequence: int) -> bool:
        if sequence < 0:
            return False
        chunk, bit = divmod(sequence, CHUNK_BITS)
        if self._is_full(chunk):
            return True
        bitmap = self._partial.get(chunk)
        return bitmap is not None and bool(bitmap[bit >> 3] & (1 << (bit & 7)))

    def __len__(self) -> int:
        full = sum(end - start for start, end in zip(self._starts, self._ends, strict=True))
        return full * CHUNK_BITS + sum(self._sizes.values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SeenSequences):
            return NotImplemented
        return (self._starts, self._ends, self._partial) == (other._starts, other._ends, other._partial)

    __hash__ = None  # type: ignore[assignment]  # mutable, so not hashable

    def __iter__(self) -> Iterator[int]:
        """Yield the sequences in order."""
        for start, end in self.ranges():
            yield from range(start, end)

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Yield the maximal ranges `[start, end)` of sequences, in order."""
        current: tuple[int, int] | None = None
        for start, end in self._pieces():
            if current is not None and current[1] == start:
                current = (current[0], end)
            else:
                if current is not None:
                    yield current
                current = (start, end)
        if current is not None:
            yield current

    def to_bytes(self) -> bytes:
        """Serialise: version, ranges of full chunks, then the others as a bitmap or a list, whichever is shorter."""
        out = bytearray([_VERSION])
        _append_varint(out, len(self._starts))
        at = 0
        for start, end in zip(self._starts, self._ends, strict=True):
            _append_varint(out, start - at)
            _append_varint(out, end - start)
            at = end
        _append_varint(out, len(self._partial))
        at = 0
        for chunk in sorted(self._partial):
            _append_varint(out, chunk - at)
            at = chunk
            size = self._sizes[chunk]
            if 2 * size < _CHUNK_BYTES:
                out.append(_LIST)
                _append_varint(out, size)
                for bit in _bits(self._partial[chunk]):
                    out += bit.to_bytes(2, "little")
            else:
                out.append(_BITMAP)
                out += self._partial[chunk]
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes) -> SeenSequences:
        """Deserialise what `to_bytes` wrote.

        Raises:
            CountingError: the bytes are of another version, truncated or damaged.
        """
        if not data or data[0] != _VERSION:
            raise CountingError(f"state of version {data[0] if data else 'none'}, this program reads version {_VERSION}")
        reader = _Reader(data, 1)
        seen = cls()
        at = 0
        for i in range(reader.varint()):
            gap, length = reader.varint(), reader.varint()
            if length == 0 or (i > 0 and gap == 0):
                raise CountingError("ranges of full chunks are not in order")
            seen._starts.append(at + gap)
            seen._ends.append(at + gap + length)
            at += gap + length
        chunk = 0
        for i in range(reader.varint()):
            gap = reader.varint()
            chunk += gap
            if (i > 0 and gap == 0) or seen._is_full(chunk):
                raise CountingError("chunks are not in order")
            seen._read_chunk(reader, chunk)
        if not reader.at_end():
            raise CountingError("bytes follow the last chunk")
        return seen

    def _read_chunk(self, reader: _Reader, chunk: int) -> None:
        kind = reader.take(1)[0]
        if kind == _BITMAP:
            bitmap = bytearray(reader.take(_CHUNK_BYTES))
        elif kind == _LIST:
            bitmap = bytearray(_CHUNK_BYTES)
            offsets = reader.take(2 * reader.varint())
            for i in range(0, len(offsets), 2):
                bit = int.from_bytes(offsets[i : i + 2], "little")
                if bit >= CHUNK_BITS:
                    raise CountingError(f"offset {bit} lies outside a chunk")
                bitmap[bit >> 3] |= 1 << (bit & 7)
        else:
            raise CountingError(f"unknown kind of chunk: {kind}")
        size = int.from_bytes(bitmap, "little").bit_count()
        if not 0 < size < CHUNK_BITS:
            raise CountingError("a chunk is empty or full")
        self._partial[chunk] = bitmap
        self._sizes[chunk] = size

    def _is_full(self, chunk: int) -> bool:
        i = bisect_right(self._starts, chunk) - 1
        return i >= 0 and chunk < self._ends[i]

    def _insert_full(self, chunk: int) -> None:
        i = bisect_right(self._starts, chunk)
        joins_left = i > 0 and self._ends[i - 1] == chunk
        joins_right = i < len(self._starts) and self._starts[i] == chunk + 1
        if joins_left and joins_right:
            self._ends[i - 1] = self._ends.pop(i)
            del self._starts[i]
        elif joins_left:
            self._ends[i - 1] = chunk + 1
        elif joins_right:
            self._starts[i] = chunk
        else:
            self._starts.insert(i, chunk)
            self._ends.insert(i, chunk + 1)

    def _pieces(self) -> Iterator[tuple[int, int]]:
        chunks = [(start, end, False) for start, end in zip(self._starts, self._ends, strict=True)]
        chunks += [(chunk, chunk + 1, True) for chunk in self._partial]
        for start, end, partial in sorted(chunks):
            if not partial:
                yield start * CHUNK_BITS, end * CHUNK_BITS
            else:
                for bit in _bits(self._partial[start]):
                    yield start * CHUNK_BITS + bit, start * CHUNK_BITS + bit + 1


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def take(self, length: int) -> bytes:
        piece = self._data[self._at : self._at + length]
        if len(piece) != length:
            raise CountingError("the state is truncated")
        self._at += length
        return piece

    def varint(self) -> int:
        value = 0
        for i in range(_MAX_VARINT_BYTES):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                return value
        raise CountingError("a number is too long")

    def at_end(self) -> bool:
        return self._at == len(self._data)


def _append_varint(out: bytearray, value: int) -> None:
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _bits(bitmap: bytearray) -> Iterator[int]:
    for i, byte in enumerate(bitmap):
        if byte:
            for bit in range(8):
                if byte & (1 << bit):
                    yield 8 * i + bit
