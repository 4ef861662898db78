"""Every record that the Python validation accepts is accepted by the database: its document fits its collection's $jsonSchema.

The converse, that a real database refuses what the validation refuses, is tested with the golden corpus in molecule/mongodb.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bson import Binary, Int64
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_broker import MemoryRecord
from quartet.contracts.ids import image_id
from quartet.contracts.image import IMAGE_BYTES, Image, encode_image
from quartet.contracts.inference import Inference, encode_inference
from quartet.contracts.labels import LABELS
from quartet.db_consumer.documents import ImageDocuments, InferenceDocuments

SCHEMAS = Path(__file__).parents[2] / "roles/mongodb/files/schemas"
ORIGIN = {"topic": "images", "topic_id": "x", "partition": 0, "offset": Int64(2**62)}
budget = settings(derandomize=True, max_examples=100)
runs = st.from_regex(r"[a-z0-9]{1,32}", fullmatch=True)
labels = st.sampled_from(LABELS)
times = st.integers(0, 2**63 - 1)


def kind(value: object) -> str:
    """Return the BSON type that PyMongo stores a value as."""
    if isinstance(value, Int64):
        return "long"
    if isinstance(value, int):
        assert -(2**31) <= value < 2**31, "stored as another type the larger it is"
        return "int"
    return {str: "string", float: "double", dict: "object", Binary: "binData", bytes: "binData"}[type(value)]


def complaints(schema: dict[str, Any], value: Any, name: str = "document") -> list[str]:
    """Validate a value by the keywords that our schemas use."""
    known = {"bsonType", "required", "properties", "pattern", "enum", "minimum", "maximum"}
    assert set(schema) <= known, "a keyword that this test does not know"
    wanted = schema.get("bsonType", kind(value))
    found = [] if kind(value) in ([wanted] if isinstance(wanted, str) else wanted) else [f"{name} is of type {kind(value)}"]
    found += [f"{name} lacks {field}" for field in schema.get("required", []) if field not in value]
    if "pattern" in schema and not re.search(schema["pattern"].replace("$", r"\Z"), value):
        found.append(f"{name} {value!r} does not match")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{name} {value!r} is not listed")
    if not schema.get("minimum", value) <= value <= schema.get("maximum", value) if {"minimum", "maximum"} & set(schema) else False:
        found.append(f"{name} {value!r} is out of range")
    for field, inner in schema.get("properties", {}).items():
        if field in value:
            found += complaints(inner, value[field], f"{name}.{field}")
    return found


def schema(name: str) -> dict[str, Any]:
    return dict(json.loads((SCHEMAS / f"{name}.json").read_text()))


@budget
@given(st.integers(1, 2**31 - 1), runs, st.integers(0, 10**12 - 1), st.none() | labels, times)
def test_every_image_fits(producer: int, run: str, sequence: int, label: str | None, at: int) -> None:
    key, value, headers = encode_image(
        Image(producer_id=producer, run=run, sequence=sequence, actual_value=label, captured_at=at, payload=bytes(IMAGE_BYTES))
    )
    document = ImageDocuments().document(MemoryRecord("images", 0, 0, key, value, list(headers)), ORIGIN)
    assert complaints(schema("image"), document) == []


@budget
@given(
    st.integers(1, 2**31 - 1),
    runs,
    st.integers(0, 10**12 - 1),
    labels,
    st.none() | labels,
    st.floats(0, 1) | st.sampled_from([0, 1]),
    times,
)
def test_every_inference_fits(producer: int, run: str, sequence: int, said: str, true: str | None, sure: float, at: int) -> None:
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
    key, value = encode_inference(inference)
    document = InferenceDocuments().document(MemoryRecord("inferences", 0, 0, key, value, []), ORIGIN)
    assert complaints(schema("inference"), document) == []


def test_a_document_that_does_not_fit_is_told() -> None:
    document = {"_id": "x", "producer_id": 0, "incorrect_count": -1, "total_count": 1.5, "model": "0123456789AB"}
    assert len(complaints(schema("incorrect"), document)) == 5
