"""A batch parser that accepts every record that the broker accepts. kafka-python is stricter: one such record would block all consumers.

Kafka 4.3 accepts, from any user with write access, headers whose name is not UTF-8, records whose attributes (a reserved byte) are 128
or more, and records that claim another offset than the broker assigned. kafka-python 3.0 raises an error for the first two on every
poll; a consumer that trusts the third would commit an offset that no record has.
"""

from __future__ import annotations

from typing import Any

from kafka.errors import CorruptRecordError
from kafka.record import memory_records
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint


class HeaderName(str):
    """A header's name with bytes that are not UTF-8: surrogates in the text (PEP 383), the original bytes on the wire."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> bytes:
        """Return the bytes of the name."""
        return super().encode(encoding, errors)


def header_name(content: bytes) -> HeaderName:
    """Decode a header's name; bytes that are not UTF-8 become surrogates."""
    return HeaderName(content.decode("utf-8", "surrogateescape"))


class Batch(DefaultRecordBatch):  # type: ignore[misc]
    """A batch of records of format 2, read as Kafka's own DefaultRecord.readFrom reads it."""

    _pos: int

    def _read_msg(self) -> Any:
        if self.is_control_batch:
            return super()._read_msg()
        buffer = self._buffer
        length, start = _varint32(buffer, self._pos)
        # the attributes are one byte, not a varint
        timestamp_delta, at = decode_varint(buffer, start + 1)
        offset_delta, at = _varint32(buffer, at)
        if self.records_count == self.last_offset_delta + 1:
            # nothing was compacted away: the position in the batch gives the offset, whatever the record claims
            offset_delta = self._next_record_index
        key, at = _content(buffer, at)
        value, at = _content(buffer, at)
        count, at = _varint32(buffer, at)
        headers: list[tuple[str, bytes | None]] = []
        for _ in range(count):
            name, at = _content(buffer, at)
            content, at = _content(buffer, at)
            try:
                headers.append(((name or b"").decode(), content))
            except UnicodeDecodeError:
                headers.append((header_name(name or b""), content))
        if at - start != length:
            raise CorruptRecordError(f"a record of {length} bytes ends after {at - start}")
        self._pos = at
        timestamp = self.max_timestamp if self.timestamp_type == self.LOG_APPEND_TIME else self.first_timestamp + timestamp_delta
        return DefaultRecord(length, self.base_offset + offset_delta, timestamp, self.timestamp_type, key, value, headers)


def _varint32(buffer: bytearray, at: int) -> tuple[int, int]:
    number, at = decode_varint(buffer, at)
    if -(2**31) <= number < 2**31:
        return number, at
    # Kafka truncates to 32 bits
    return (number + 2**31) % 2**32 - 2**31, at


def _content(buffer: bytearray, at: int) -> tuple[bytes | None, int]:
    length = buffer[at]
    # fast path: most lengths take one byte, and a record has a dozen of them
    length, at = _varint32(buffer, at) if length & 0x80 else ((length >> 1) ^ -(length & 1), at + 1)
    if length < 0:
        return None, at
    return bytes(buffer[at : at + length]), at + length


def patch_batch_parser() -> None:
    """Make kafka-python use this parser in this process."""
    memory_records.DefaultRecordBatch = Batch
