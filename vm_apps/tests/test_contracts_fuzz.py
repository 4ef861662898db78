"""Fuzzing: every record is decoded or refused with a cause, quickly, and Spark accepts exactly what the Python validation accepts."""

from __future__ import annotations

import base64
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quartet.contracts.causes import Cause, ContractError
from quartet.contracts.dead_letter import DeadLetter, decode_dead_letter, encode_dead_letter
from quartet.contracts.image import IMAGE_BYTES, Image, decode_image, encode_image
from quartet.contracts.inference import decode_inference, encode_inference
from quartet_spark import records

CORPUS = json.loads((Path(__file__).parent / "corpus/records.json").read_text())
#: The topics' max.message.bytes
LARGEST = 262_144
GOOD = {
    "schema": "inference/1",
    "id": "101-first-000000000007",
    "run": "first",
    "sequence": 7,
    "image_prediction": "dog",
    "actual_value": "cat",
    "producer_id": 101,
    "confidence": 0.75,
    "model": "0123456789ab",
    "captured_at": 1,
    "inferred_at": 2,
}
budget = settings(derandomize=True, max_examples=300)
texts = st.text(st.characters(exclude_categories=()), max_size=20)
numbers = st.integers() | st.sampled_from([2**31, 2**63, 10**12, 10**400, -(10**30)]) | st.floats()
scalars = st.none() | st.booleans() | numbers | texts
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8)
odd_decimals = st.sampled_from(
    [b"+7", b"-7", b" 7", b"7 ", b"7_0", b"07", b"0x7", b"7e0", b"7.0", b"\xd9\xa7", b"\xef\xbc\x97", b"7\n", b""]
)
contents = st.none() | st.binary(max_size=40) | odd_decimals | st.integers().map(lambda number: b"%d" % number)
names = st.sampled_from(["schema", "producer_id", "run", "sequence", "captured_at", "actual_value"]) | texts


def content(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


@st.composite
def image_records(draw: st.DrawFn) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    """Return a good image's record with some of it replaced."""
    image = Image(producer_id=101, run="first", sequence=7, actual_value="cat", captured_at=1, payload=bytes(IMAGE_BYTES))
    key, value, headers = encode_image(image)
    mixed = draw(st.permutations([*headers, *draw(st.lists(st.tuples(names, contents), max_size=3))]))
    kept = [header for header in mixed if draw(st.integers(0, 9))]
    return draw(st.just(key) | st.none() | st.binary(max_size=64)), draw(st.just(value) | st.none() | st.binary(max_size=64)), kept


@st.composite
def inference_records(draw: st.DrawFn) -> tuple[bytes | None, bytes | None]:
    """Return a good inference's record with some fields replaced, or bytes of it."""
    body = {**GOOD, **draw(st.dictionaries(st.sampled_from(sorted(GOOD)) | texts, anything, max_size=2))}
    value = json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(value)))
        value = value[:at] + draw(st.binary(max_size=3)) + value[at + draw(st.integers(0, 3)) :]
    return draw(st.just(b"101-first-000000000007") | st.none() | st.binary(max_size=64)), draw(st.just(value) | st.none())


@budget
@given(image_records())
def test_an_image_record_is_decoded_or_refused(record: tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]) -> None:
    try:
        image = decode_image(*record)
    except ContractError as error:
        assert error.cause in Cause
        assert len(error.detail) < 1000
    else:
        assert record[:2] == encode_image(image)[:2]


@budget
@given(inference_records())
def test_an_inference_record_is_decoded_or_refused(record: tuple[bytes | None, bytes | None]) -> None:
    try:
        inference = decode_inference(*record)
    except ContractError as error:
        assert error.cause in Cause
        assert len(error.detail) < 1000
    else:
        assert record[0] == inference.id.encode()
        assert decode_inference(*encode_inference(inference)) == inference


@settings(budget, max_examples=60)
@given(st.lists(inference_records(), max_size=6))
def test_sparks_filter_keeps_what_the_python_check_keeps(found: list[tuple[bytes | None, bytes | None]]) -> None:
    keys, values = [key for key, _ in found], [value for _, value in found]
    frame = pd.DataFrame({"key": keys, "value": values, "partition": [0] * len(found), "offset": list(range(len(found)))})
    kept = records.decode_frame(frame, GOOD["model"])["offset"].tolist()
    assert kept == [at for at, record in enumerate(found) if is_good(record)]


def is_good(record: tuple[bytes | None, bytes | None]) -> bool:
    try:
        return decode_inference(*record).model == GOOD["model"]
    except ContractError:
        return False


@budget
@given(
    st.none() | st.binary(max_size=64),
    st.none() | st.binary(max_size=200),
    st.lists(st.tuples(texts, contents), max_size=5).map(tuple),
    texts,
)
def test_any_refused_record_fits_into_a_dead_letter_and_comes_out_whole(
    key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...], detail: str
) -> None:
    letter = DeadLetter(
        topic="images", partition=3, offset=17, key=key, value=value, headers=headers, cause=Cause.BAD_HEADER, detail=detail, refused_at=1
    )
    _, body = encode_dead_letter(letter)
    assert decode_dead_letter(body) == letter


@budget
@given(st.data())
def test_a_broken_dead_letter_is_refused(data: st.DataObject) -> None:
    letter = DeadLetter(
        topic="images",
        partition=3,
        offset=17,
        key=b"k",
        value=b"v",
        headers=(("a", b"b"), ("c", None)),
        cause=Cause.NULL_VALUE,
        detail="why",
        refused_at=1,
    )
    body: dict[str, Any] = json.loads(encode_dead_letter(letter)[1])
    body |= data.draw(st.dictionaries(st.sampled_from(sorted(body)), anything, max_size=2))
    for name in data.draw(st.sets(st.sampled_from(sorted(body)), max_size=1)):
        del body[name]
    value = json.dumps(body).encode()
    try:
        decode_dead_letter(data.draw(st.just(value) | st.just(value[: len(value) // 2]) | st.none() | st.binary(max_size=20)))
    except ContractError as error:
        assert error.cause in Cause


@budget
@given(st.sampled_from([row for row in CORPUS if not row["valid"] and row["key"] and row["value"]]), st.data())
def test_what_the_corpus_refuses_stays_refused_with_more_in_it(row: dict[str, Any], data: st.DataObject) -> None:
    key, value = content(row["key"]), content(row["value"])
    assert value is not None
    with pytest.raises(ContractError):
        if row["topic"] == "images":
            further = data.draw(st.lists(st.tuples(texts.map("x-".__add__), contents), max_size=3))
            decode_image(key, value, [*further, *((name, content(text)) for name, text in row["headers"])])
        else:
            further = data.draw(st.dictionaries(texts.map("x-".__add__), scalars, min_size=1, max_size=3))
            start = json.dumps(further)[:-1].encode() + b"," if value[:1] == b"{" else b""
            decode_inference(key, start + value[1:] if start else value)


@pytest.mark.parametrize(
    "value",
    [
        b"[" * LARGEST,
        b'{"a":' * (LARGEST // 5),
        b"9" * LARGEST,
        b'{"x":0.' + b"9" * (LARGEST - 8) + b"}",
        b'{"x":1' + b"0" * (LARGEST - 20) + b"e-300000}",
        b'{"x":"' + b"\\u" * (LARGEST // 2 - 4),
        b'{"x":"' + b"[" * (LARGEST - 7),
        b'"' * LARGEST,
        b'{"x":"[' + b"\\" * (LARGEST - 80) + b"[" * 70,
        b"{" + b'"a":1,' * (LARGEST // 6 - 1) + b'"b":1}',
        b"\xf0" * LARGEST,
        b" " * LARGEST,
    ],
    ids=lambda value: value[:10].decode("ascii", "replace"),
)
def test_a_record_as_large_as_the_topic_allows_costs_little(value: bytes) -> None:
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(ContractError) as refused:
        decode_inference(b"101-first-000000000007", value)
    took = time.process_time() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 1
    assert peak < 64 * LARGEST
    assert len(str(refused.value)) < 300
