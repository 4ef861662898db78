"""Records that violate their contract, one per kind of violation, and the valid ones between which they are sent."""

from __future__ import annotations

import base64
import json
import os
import pickle
import random
import time
from typing import Any, NamedTuple

from quartet.contracts.ids import image_id
from quartet.contracts.image import IMAGE_BYTES, Image, encode_image

PRODUCER_ID = 9660
#: Name of the file that the pickle of these tests creates when it is loaded
EXPLODED = "sec-exploded"


class _Bomb:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch /tmp/{EXPLODED} /var/tmp/{EXPLODED}",)


PICKLE = pickle.dumps(_Bomb())


class Sent(NamedTuple):
    """A record as it is sent. `cause`: what it must be refused with, '' where it is good."""

    what: str
    cause: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    def as_json(self) -> list[Any]:
        """Return what travels to the machine that sends it."""
        encoded = [None if part is None else base64.b64encode(part).decode() for part in (self.key, self.value)]
        return [*encoded, [[name, base64.b64encode(value).decode()] for name, value in self.headers]]


def good(run: str, sequence: int, payload: bytes | None = None) -> Sent:
    """Return an image that nobody has labelled: stored and classified, never counted."""
    payload = random.Random(sequence).randbytes(IMAGE_BYTES) if payload is None else payload
    image = Image(
        producer_id=PRODUCER_ID, run=run, sequence=sequence, actual_value=None, captured_at=time.time_ns() // 1000, payload=payload
    )
    key, value, headers = encode_image(image)
    return Sent("a good image", "", key, value, tuple(headers))


def images(run: str, first: int) -> list[Sent]:
    """Return poison for the topic of images; `first`: the sequence from which on ids are free."""
    base = good(run, first)
    assert base.key is not None
    headers = dict(base.headers)

    def with_headers(**changed: bytes | None) -> tuple[tuple[str, bytes], ...]:
        return tuple((name, value) for name, value in {**headers, **changed}.items() if value is not None)

    twin = good(run, first + 1)
    return [
        base._replace(what="a pickled message", cause="wrong-length", value=PICKLE),
        base._replace(what="an empty image", cause="wrong-length", value=b""),
        base._replace(what="an image that is too short", cause="wrong-length", value=bytes(3071)),
        base._replace(what="an image of 250,000 bytes", cause="wrong-length", value=bytes(250_000)),
        base._replace(what="no value", cause="null-value", value=None),
        base._replace(what="no header", cause="missing-header", headers=()),
        base._replace(what="no sequence", cause="missing-header", headers=with_headers(sequence=None)),
        base._replace(what="a negative sequence", cause="bad-header", headers=with_headers(sequence=b"-1")),
        base._replace(what="a label of no class", cause="bad-header", headers=with_headers(actual_value=b"\xff\xfe")),
        base._replace(what="an unknown schema", cause="unknown-schema", headers=with_headers(schema=b"image/9")),
        base._replace(what="no key", cause="bad-key", key=None),
        base._replace(what="another image's key", cause="bad-key", key=f"{PRODUCER_ID}-{run}-{first + 9:012d}".encode()),
        twin,
        twin._replace(what="other bytes under an id that is stored", cause="id-conflict", value=bytes(IMAGE_BYTES)),
    ]


def inferences(run: str) -> list[Sent]:
    """Return poison for the topic of inferences. None of it is an inference, so no image is needed for it."""
    sent_id = image_id(PRODUCER_ID, run, 0)
    now = time.time_ns() // 1000
    body = {
        "schema": "inference/1", "id": sent_id, "run": run, "sequence": 0, "image_prediction": "cat", "producer_id": PRODUCER_ID,
        "confidence": 0.5, "model": "0123456789ab", "captured_at": now, "inferred_at": now,
    }  # fmt: skip

    def changed(**fields: Any) -> bytes:
        return json.dumps({name: value for name, value in {**body, **fields}.items() if value is not None}).encode()

    key = sent_id.encode()
    rows: list[tuple[str, str, bytes | None, bytes | None]] = [
        ("bad JSON", "bad-json", key, b'{"id": '),
        ("text that is not UTF-8", "bad-json", key, b'{"id": "\xff"}'),
        ("NaN", "bad-json", key, changed().replace(b"0.5", b"NaN")),
        ("nesting without end", "bad-json", key, b"[" * 100_000),
        ("a pickle", "bad-json", key, PICKLE),
        ("no value", "null-value", key, None),
        ("no model", "missing-field", key, changed(model=None)),
        ("a label of no class", "bad-field", key, changed(image_prediction="unicorn")),
        ("an unknown schema", "unknown-schema", key, changed(schema="inference/9")),
        ("another image's key", "bad-key", b"1-other-000000000000", changed()),
    ]
    return [Sent(what, cause, key, value, ()) for what, cause, key, value in rows]
