"""The contract `image/1`: an image, its encoding as a record, and the validation of a record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from quartet.contracts.causes import Cause, ContractError
from quartet.contracts.header_fields import Headers, by_name, header, label, run_name, whole_number
from quartet.contracts.ids import image_id
from quartet.contracts.limits import INT32_MAX, INT64_MAX, SEQUENCE_MAX

IMAGE_SIDE: Final = 32
#: 3 planes (red, green, blue) of 32 x 32 pixels, uint8
IMAGE_BYTES: Final = 3 * IMAGE_SIDE * IMAGE_SIDE
IMAGE_SCHEMA: Final = "image/1"
# The current schema version and the previous one are accepted; version 1 has no previous one.
_SCHEMAS: Final = frozenset({b"image/1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image as it was sent. `payload`: IMAGE_BYTES of planar RGB; `captured_at`: microseconds since the epoch, UTC."""

    producer_id: int
    run: str
    sequence: int
    actual_value: str | None
    captured_at: int
    payload: bytes

    @property
    def id(self) -> str:
        """The image's id, which is also the record's key."""
        return image_id(self.producer_id, self.run, self.sequence)

    @property
    def payload_sha256(self) -> str:
        """Lower-case hex digest of the payload."""
        return hashlib.sha256(self.payload).hexdigest()


def encode_image(image: Image) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Return key, value and headers of the record for an image."""
    headers = [
        ("schema", IMAGE_SCHEMA.encode()),
        ("producer_id", b"%d" % image.producer_id),
        ("run", image.run.encode()),
        ("sequence", b"%d" % image.sequence),
        ("captured_at", b"%d" % image.captured_at),
    ]
    if image.actual_value is not None:
        headers.append(("actual_value", image.actual_value.encode()))
    return image.id.encode(), image.payload, headers


def decode_image(key: bytes | None, value: bytes | None, headers: Headers) -> Image:
    """Return the image in a record.

    Raises:
        ContractError: the record violates the contract `image/1`.
    """
    if value is None:
        raise ContractError(Cause.NULL_VALUE, "the record has no value")
    fields = by_name(headers)
    schema = header(fields, "schema")
    if schema not in _SCHEMAS:
        raise ContractError(Cause.UNKNOWN_SCHEMA, f"schema {schema[:40]!r}")
    if len(value) != IMAGE_BYTES:
        raise ContractError(Cause.WRONG_LENGTH, f"{len(value)} bytes instead of {IMAGE_BYTES}")
    truth = fields.get("actual_value")
    image = Image(
        producer_id=whole_number(fields, "producer_id", 1, INT32_MAX),
        run=run_name(fields),
        sequence=whole_number(fields, "sequence", 0, SEQUENCE_MAX),
        actual_value=None if truth is None else label(truth),
        captured_at=whole_number(fields, "captured_at", 0, INT64_MAX),
        payload=bytes(value),
    )
    if key is None or bytes(key) != image.id.encode():
        raise ContractError(Cause.BAD_KEY, f"the key {None if key is None else bytes(key[:80])!r} is not the id {image.id}")
    return image
