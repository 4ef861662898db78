"""The contract `dead-letter/1`: a complete refused record, its position in the log and the cause."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Final

from quartet.contracts.causes import Cause, ContractError
from quartet.contracts.json_fields import json_object, text, whole_number
from quartet.contracts.limits import INT32_MAX, INT64_MAX

_CAUSES: Final = frozenset(Cause)
# A rejection by the database may quote the whole document, which the dead letter contains anyway.
_MAX_DETAIL_LENGTH: Final = 1000
#: Size limit of a dead letter in bytes. A refused batch has up to 262,144 bytes. In the envelope a byte takes at most 6 (a byte of a
#: header name that JSON writes as \udcff; base64 takes 4/3), and the cause up to 12,000: 1.6 MB in total.
LARGEST_DEAD_LETTER: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A complete refused record, its position in the log and the cause. `refused_at`: microseconds since the epoch, UTC.

    A header's name may contain surrogates: each stands for a byte that is not UTF-8 (PEP 383).
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
        """Key of the record that carries the dead letter."""
        return f"{self.topic}/{self.partition}/{self.offset}".encode()


def encode_dead_letter(letter: DeadLetter) -> tuple[bytes, bytes]:
    """Return key and value of the record for a dead letter. Bytes are base64, null stays null."""
    body = {
        "schema": "dead-letter/1",
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": _to_base64(letter.key),
        "value": _to_base64(letter.value),
        "headers": [[name, _to_base64(content)] for name, content in letter.headers],
        "cause": letter.cause.value,
        "detail": letter.detail[:_MAX_DETAIL_LENGTH],
        "refused_at": letter.refused_at,
    }
    return letter.record_key, json.dumps(body, separators=(",", ":")).encode()


def decode_dead_letter(value: bytes | None) -> DeadLetter:
    """Return the dead letter in a record's value.

    Raises:
        ContractError: the value is not a dead letter.
    """
    if value is None:
        raise ContractError(Cause.NULL_VALUE, "the record has no value")
    body = json_object(value)
    headers = body.get("headers")
    if not isinstance(headers, list) or not all(isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) for row in headers):
        raise ContractError(Cause.BAD_FIELD, "headers is not a list of names and contents")
    cause = text(body, "cause")
    if cause not in _CAUSES:
        raise ContractError(Cause.BAD_FIELD, f"cause {cause[:40]!r} is not one of this release")
    return DeadLetter(
        topic=text(body, "topic"),
        partition=whole_number(body, "partition", 0, INT32_MAX),
        offset=whole_number(body, "offset", 0, INT64_MAX),
        key=_from_base64(body.get("key"), "key"),
        value=_from_base64(body.get("value"), "value"),
        headers=tuple((name, _from_base64(content, "headers")) for name, content in headers),
        cause=Cause(cause),
        detail=text(body, "detail"),
        refused_at=whole_number(body, "refused_at", 0, INT64_MAX),
    )


def _to_base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _from_base64(encoded: object, name: str) -> bytes | None:
    if encoded is None:
        return None
    try:
        return base64.b64decode(encoded if isinstance(encoded, str) else "?", validate=True)
    except ValueError:
        raise ContractError(Cause.BAD_FIELD, f"{name} is not base64") from None
