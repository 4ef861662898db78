"""The contract `inference/1`: an inference, its encoding as a record, and the validation of a record."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

from quartet.contracts.causes import Cause, ContractError
from quartet.contracts.ids import image_id, is_model, is_run
from quartet.contracts.json_fields import fraction, json_object, label, text, whole_number
from quartet.contracts.limits import INT32_MAX, INT64_MAX, SEQUENCE_MAX

INFERENCE_SCHEMA: Final = "inference/1"
# The current schema version and the previous one are accepted; version 1 has no previous one.
_SCHEMAS: Final = frozenset({"inference/1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """The prediction of a model for an image. `confidence`: softmax of the predicted class; times in microseconds since the epoch, UTC."""

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


def encode_inference(inference: Inference) -> tuple[bytes, bytes]:
    """Return key and value of the record for an inference."""
    body = {"schema": INFERENCE_SCHEMA, **asdict(inference)}
    if inference.actual_value is None:
        del body["actual_value"]
    return inference.id.encode(), json.dumps(body, separators=(",", ":")).encode()


def decode_inference(key: bytes | None, value: bytes | None) -> Inference:
    """Return the inference in a record.

    Raises:
        ContractError: the record violates the contract `inference/1`.
    """
    if value is None:
        raise ContractError(Cause.NULL_VALUE, "the record has no value")
    body = json_object(value)
    schema = text(body, "schema")
    if schema not in _SCHEMAS:
        raise ContractError(Cause.UNKNOWN_SCHEMA, f"schema {schema[:40]!r}")
    inference = Inference(
        id=text(body, "id"),
        run=text(body, "run"),
        sequence=whole_number(body, "sequence", 0, SEQUENCE_MAX),
        image_prediction=label(body, "image_prediction"),
        actual_value=None if body.get("actual_value") is None else label(body, "actual_value"),
        producer_id=whole_number(body, "producer_id", 1, INT32_MAX),
        confidence=fraction(body, "confidence"),
        model=text(body, "model"),
        captured_at=whole_number(body, "captured_at", 0, INT64_MAX),
        inferred_at=whole_number(body, "inferred_at", 0, INT64_MAX),
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
