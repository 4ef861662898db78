"""The golden corpus of good and bad records, and what encoding and decoding keep."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quartet.contracts.causes import Cause, ContractError
from quartet.contracts.dead_letter import DeadLetter, decode_dead_letter, encode_dead_letter
from quartet.contracts.ids import image_id
from quartet.contracts.image import Image, decode_image, encode_image
from quartet.contracts.inference import Inference, decode_inference, encode_inference
from quartet.contracts.labels import LABELS

CORPUS = json.loads((Path(__file__).parent / "corpus/records.json").read_text())
labels = st.sampled_from(LABELS)
runs = st.from_regex(r"[a-z0-9]{1,32}", fullmatch=True)
times = st.integers(0, 2**63 - 1)


def content(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def decode(row: dict[str, Any]) -> Image | Inference:
    if row["topic"] == "images":
        return decode_image(content(row["key"]), content(row["value"]), [(name, content(value)) for name, value in row["headers"]])
    return decode_inference(content(row["key"]), content(row["value"]))


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row["name"])
def test_the_corpus_is_judged_as_it_says(row: dict[str, Any]) -> None:
    if row["valid"]:
        assert decode(row).id
        return
    with pytest.raises(ContractError) as refused:
        decode(row)
    assert refused.value.cause == row["cause"], refused.value


@given(
    st.builds(
        Image,
        producer_id=st.integers(1, 2**31 - 1),
        run=runs,
        sequence=st.integers(0, 10**12 - 1),
        actual_value=st.none() | labels,
        captured_at=times,
        payload=st.binary(min_size=3072, max_size=3072),
    )
)
def test_an_image_survives_the_wire(image: Image) -> None:
    key, value, headers = encode_image(image)
    assert decode_image(key, value, headers) == image


@given(st.integers(1, 2**31 - 1), runs, st.integers(0, 10**12 - 1), labels, st.none() | labels, st.floats(0, 1), times)
def test_an_inference_survives_the_wire(producer: int, run: str, sequence: int, said: str, true: str | None, sure: float, at: int) -> None:
    inference = Inference(
        id=image_id(producer, run, sequence),
        run=run,
        sequence=sequence,
        image_prediction=said,
        actual_value=true,
        producer_id=producer,
        confidence=sure,
        model="0123456789ab",
        captured_at=at,
        inferred_at=at,
    )
    assert decode_inference(*encode_inference(inference)) == inference


@given(
    st.none() | st.binary(max_size=64),
    st.none() | st.binary(max_size=4000),
    st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=40))),
)
def test_no_image_record_does_anything_but_decode_or_be_refused(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    try:
        decode_image(key, value, headers)
    except ContractError as error:
        assert error.cause in Cause


@given(st.none() | st.binary(max_size=64), st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_inference_record_does_anything_but_decode_or_be_refused(key: bytes | None, value: bytes) -> None:
    try:
        decode_inference(key, value)
    except ContractError as error:
        assert error.cause in Cause


@given(
    st.none() | st.binary(max_size=64),
    st.none() | st.binary(max_size=200),
    st.lists(st.tuples(st.text(max_size=20), st.none() | st.binary(max_size=40))).map(tuple),
    st.sampled_from(Cause),
)
def test_a_dead_letter_keeps_the_record_whole(
    key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...], cause: Cause
) -> None:
    letter = DeadLetter(
        topic="images", partition=3, offset=17, key=key, value=value, headers=headers, cause=cause, detail="why", refused_at=1
    )
    record_key, body = encode_dead_letter(letter)
    assert record_key == b"images/3/17"
    assert decode_dead_letter(body) == letter


def test_an_incorrect_inference_is_a_labelled_one_with_another_label() -> None:
    def inference(said: str, true: str | None) -> Inference:
        return Inference(
            id="1-a-000000000000",
            run="a",
            sequence=0,
            image_prediction=said,
            actual_value=true,
            producer_id=1,
            confidence=0.5,
            model="0123456789ab",
            captured_at=0,
            inferred_at=0,
        )

    assert inference("cat", "dog").is_incorrect
    assert not inference("cat", "cat").is_incorrect
    assert not inference("cat", None).is_incorrect
