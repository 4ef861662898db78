"""The records that travel between the parts: ids, checks and codecs. The prose is in docs/contracts.md.

Nothing is decoded before it is checked, and a record that breaks its contract raises ContractError with a cause of a closed set.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from quartet import strict_json

LABELS: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
IMAGE_SIDE: Final = 32
#: 3 planes (red, green, blue) of 32 x 32 pixels, uint8
IMAGE_BYTES: Final = 3 * IMAGE_SIDE * IMAGE_SIDE
IMAGE_SCHEMA: Final = "image/1"
INFERENCE_SCHEMA: Final = "inference/1"
# The current schema number and the one before it are accepted; 1 has none before it.
_IMAGE_SCHEMAS: Final = frozenset({b"image/1"})
_INFERENCE_SCHEMAS: Final = frozenset({"inference/1"})
_INT32_MAX: Final = 2**31 - 1
_INT64_MAX: Final = 2**63 - 1
_SEQUENCE_MAX: Final = 10**12 - 1
_ID: Final = re.compile(r"([1-9][0-9]{0,9})-([a-z0-9]{1,32})-([0-9]{12})", re.ASCII)
_RUN: Final = re.compile(r"[a-z0-9]{1,32}", re.ASCII)
_MODEL: Final = re.compile(r"[0-9a-f]{12}", re.ASCII)
_DECIMAL: Final = re.compile(rb"(0|[1-9][0-9]{0,18})")

Headers = Sequence[tuple[str, bytes | None]]


class Cause(StrEnum):
    """Why a record was refused. A closed set: it is a label of a metric."""

    NULL_VALUE = "null-value"
    WRONG_LENGTH = "wrong-length"
    MISSING_HEADER = "missing-header"
    BAD_HEADER = "bad-header"
    UNKNOWN_SCHEMA = "unknown-schema"
    BAD_JSON = "bad-json"
    MISSING_FIELD = "missing-field"
    BAD_FIELD = "bad-field"
    BAD_KEY = "bad-key"
    ID_CONFLICT = "id-conflict"
    DATABASE_REJECTED = "database-rejected"


_CAUSES: Final = frozenset(Cause)
# A database's refusal may quote the whole document; the letter holds it anyway.
_MOST_DETAIL: Final = 1000
#: Bytes of the largest dead letter. A refused batch has up to 262,144 bytes; as an envelope each byte of it takes 6 at most (a
#: header's name of bytes that JSON writes as \udcff), and the cause some 12,000 more: 1.6 MB, where bytes in base64 take a third.
LARGEST_DEAD_LETTER: Final = 2 * 1024 * 1024


class ContractError(Exception):
    """A record breaks its contract."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Inference:
    """What a model said of an image. `confidence`: softmax of the predicted class; times in microseconds since the epoch, UTC."""

    id: str
    run: str
    sequence: int
    image_prediction: str
    actual_value: str | None
    producer_id: int
    confidence: float
    model: str
    captured_at: int
    inferred_at: int

    @property
    def is_incorrect(self) -> bool:
        """Whether a labelled image was classified wrongly."""
        return self.actual_value is not None and self.image_prediction != self.actual_value


def image_id(producer_id: int, run: str, sequence: int) -> str:
    """Return the id of an image."""
    return f"{producer_id}-{run}-{sequence:012d}"


def parse_id(text: str) -> tuple[int, str, int]:
    """Return producer id, run and sequence of an id.

    Raises:
        ContractError: it is not an id.
    """
    match = _ID.fullmatch(text)
    if match is None or int(match[1]) > _INT32_MAX:
        raise ContractError(Cause.BAD_KEY, f"{text[:80]!r} is not <producer_id>-<run>-<sequence of 12 digits>")
    return int(match[1]), match[2], int(match[3])


def is_run(text: str) -> bool:
    """Say whether a text may name a run."""
    return _RUN.fullmatch(text) is not None


def is_model(text: str) -> bool:
    """Say whether a text may name a model: the first 12 hex digits of its weights' sha256."""
    return _MODEL.fullmatch(text) is not None


def encode_image(image: Image) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Return key, value and headers of the record of an image."""
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
    """Return the image of a record.

    Raises:
        ContractError: the record breaks the contract `image/1`.
    """
    if value is None:
        raise ContractError(Cause.NULL_VALUE, "the record has no value")
    for name, _ in headers:
        if not name.isascii() and not _is_utf8(name):
            raise ContractError(Cause.BAD_HEADER, f"a header's name is not UTF-8: {name[:40]!r}")
    fields = {name: content for name, content in reversed(headers) if content is not None}
    schema = _header(fields, "schema")
    if schema not in _IMAGE_SCHEMAS:
        raise ContractError(Cause.UNKNOWN_SCHEMA, f"schema {schema[:40]!r}")
    if len(value) != IMAGE_BYTES:
        raise ContractError(Cause.WRONG_LENGTH, f"{len(value)} bytes instead of {IMAGE_BYTES}")
    label = fields.get("actual_value")
    image = Image(
        producer_id=_decimal(fields, "producer_id", 1, _INT32_MAX),
        run=_run(fields),
        sequence=_decimal(fields, "sequence", 0, _SEQUENCE_MAX),
        actual_value=None if label is None else _label(label),
        captured_at=_decimal(fields, "captured_at", 0, _INT64_MAX),
        payload=bytes(value),
    )
    if key is None or bytes(key) != image.id.encode():
        raise ContractError(Cause.BAD_KEY, f"the key {None if key is None else bytes(key[:80])!r} is not the id {image.id}")
    return image


def encode_inference(inference: Inference) -> tuple[bytes, bytes]:
    """Return key and value of the record of an inference."""
    body = {"schema": INFERENCE_SCHEMA, **asdict(inference)}
    if inference.actual_value is None:
        del body["actual_value"]
    return inference.id.encode(), json.dumps(body, separators=(",", ":")).encode()


def decode_inference(key: bytes | None, value: bytes | None) -> Inference:
    """Return the inference of a record.

    Raises:
        ContractError: the record breaks the contract `inference/1`.
    """
    if value is None:
        raise ContractError(Cause.NULL_VALUE, "the record has no value")
    body = _object(value)
    schema = _text(body, "schema")
    if schema not in _INFERENCE_SCHEMAS:
        raise ContractError(Cause.UNKNOWN_SCHEMA, f"schema {schema[:40]!r}")
    inference = Inference(
        id=_text(body, "id"),
        run=_text(body, "run"),
        sequence=_integer(body, "sequence", 0, _SEQUENCE_MAX),
        image_prediction=_one_of_labels(_text(body, "image_prediction"), "image_prediction"),
        actual_value=None if body.get("actual_value") is None else _one_of_labels(_text(body, "actual_value"), "actual_value"),
        producer_id=_integer(body, "producer_id", 1, _INT32_MAX),
        confidence=_fraction(body, "confidence"),
        model=_text(body, "model"),
        captured_at=_integer(body, "captured_at", 0, _INT64_MAX),
        inferred_at=_integer(body, "inferred_at", 0, _INT64_MAX),
    )
    if not is_run(inference.run):
        raise ContractError(Cause.BAD_FIELD, f"run {inference.run[:80]!r}")
    if not is_model(inference.model):
        raise ContractError(Cause.BAD_FIELD, f"model {inference.model[:80]!r} is not 12 hex digits")
    if inference.id != image_id(inference.producer_id, inference.run, inference.sequence):
        raise ContractError(Cause.BAD_FIELD, f"id {inference.id[:80]!r} is not made of producer_id, run and sequence")
    if key is None or bytes(key) != inference.id.encode():
        raise ContractError(Cause.BAD_KEY, f"the key {None if key is None else bytes(key[:80])!r} is not the id {inference.id}")
    return inference


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused record, whole, with where it stood and why it was refused. `refused_at`: microseconds since the epoch, UTC.

    A header's name may hold surrogates: each stands for a byte that is not UTF-8 (PEP 383).
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    cause: Cause
    detail: str
    refused_at: int

    @property
    def record_key(self) -> bytes:
        """Key of the dead letter's own record."""
        return f"{self.topic}/{self.partition}/{self.offset}".encode()


def encode_dead_letter(letter: DeadLetter) -> tuple[bytes, bytes]:
    """Return key and value of the record of a dead letter. Bytes are base64, null stays null."""
    body = {
        "schema": "dead-letter/1",
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": _to_base64(letter.key),
        "value": _to_base64(letter.value),
        "headers": [[name, _to_base64(content)] for name, content in letter.headers],
        "cause": letter.cause.value,
        "detail": letter.detail[:_MOST_DETAIL],
        "refused_at": letter.refused_at,
    }
    return letter.record_key, json.dumps(body, separators=(",", ":")).encode()


def decode_dead_letter(value: bytes | None) -> DeadLetter:
    """Return the dead letter of a record's value.

    Raises:
        ContractError: it is not a dead letter.
    """
    if value is None:
        raise ContractError(Cause.NULL_VALUE, "the record has no value")
    body = _object(value)
    headers = body.get("headers")
    if not isinstance(headers, list) or not all(isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) for row in headers):
        raise ContractError(Cause.BAD_FIELD, "headers is not a list of names and contents")
    cause = _text(body, "cause")
    if cause not in _CAUSES:
        raise ContractError(Cause.BAD_FIELD, f"cause {cause[:40]!r} is not one of this release")
    return DeadLetter(
        topic=_text(body, "topic"),
        partition=_integer(body, "partition", 0, _INT32_MAX),
        offset=_integer(body, "offset", 0, _INT64_MAX),
        key=_from_base64(body.get("key"), "key"),
        value=_from_base64(body.get("value"), "value"),
        headers=tuple((name, _from_base64(content, "headers")) for name, content in headers),
        cause=Cause(cause),
        detail=_text(body, "detail"),
        refused_at=_integer(body, "refused_at", 0, _INT64_MAX),
    )


def _to_base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _from_base64(text: object, name: str) -> bytes | None:
    if text is None:
        return None
    try:
        return base64.b64decode(text if isinstance(text, str) else "?", validate=True)
    except ValueError:
        raise ContractError(Cause.BAD_FIELD, f"{name} is not base64") from None


def _object(value: bytes) -> dict[str, Any]:
    try:
        return strict_json.load_object(bytes(value))
    except ValueError as error:
        raise ContractError(Cause.BAD_JSON, str(error)[:200]) from None


def _is_utf8(name: str) -> bool:
    try:
        str.encode(name, "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _header(fields: Mapping[str, bytes], name: str) -> bytes:
    if name not in fields:
        raise ContractError(Cause.MISSING_HEADER, name)
    return bytes(fields[name])


def _decimal(fields: Mapping[str, bytes], name: str, low: int, high: int) -> int:
    content = _header(fields, name)
    if _DECIMAL.fullmatch(content) is None or not low <= int(content) <= high:
        raise ContractError(Cause.BAD_HEADER, f"{name} {content[:40]!r} is not a whole number from {low} to {high}")
    return int(content)


def _run(fields: Mapping[str, bytes]) -> str:
    content = _header(fields, "run")
    run = content.decode("ascii", "replace")
    if not is_run(run):
        raise ContractError(Cause.BAD_HEADER, f"run {content[:80]!r} is not 1 to 32 of a-z and 0-9")
    return run


def _label(content: bytes) -> str:
    label = bytes(content).decode("ascii", "replace")
    if label not in LABELS:
        raise ContractError(Cause.BAD_HEADER, f"actual_value {content[:40]!r} is not a label")
    return label


def _text(body: Mapping[str, Any], name: str) -> str:
    if name not in body:
        raise ContractError(Cause.MISSING_FIELD, name)
    if not isinstance(body[name], str):
        raise ContractError(Cause.BAD_FIELD, f"{name} is not a text")
    return str(body[name])


def _one_of_labels(text: str, name: str) -> str:
    if text not in LABELS:
        raise ContractError(Cause.BAD_FIELD, f"{name} {text[:40]!r} is not a label")
    return text


def _integer(body: Mapping[str, Any], name: str, low: int, high: int) -> int:
    if name not in body:
        raise ContractError(Cause.MISSING_FIELD, name)
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ContractError(Cause.BAD_FIELD, f"{name} {_shown(value)} is not a whole number from {low} to {high}")
    return value


def _fraction(body: Mapping[str, Any], name: str) -> float:
    if name not in body:
        raise ContractError(Cause.MISSING_FIELD, name)
    value = body[name]
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ContractError(Cause.BAD_FIELD, f"{name} {_shown(value)} is not a number from 0 to 1")
    return float(value)


def _shown(value: object) -> str:
    """Return a scalar as it is, anything else by its kind: what is nested has no end."""
    return f"{value!r:.40}" if isinstance(value, str | int | float | None) else f"(a {type(value).__name__})"
