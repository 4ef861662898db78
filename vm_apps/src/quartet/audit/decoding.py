"""Decodes records and documents into evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quartet.audit.evidence import DeadLetter, ImageRecord, InferenceRecord, Offsets, Place, Result, StoredImage, StoredInference
from quartet.contracts.causes import ContractError
from quartet.contracts.dead_letter import decode_dead_letter
from quartet.contracts.ids import parse_id
from quartet.contracts.image import decode_image
from quartet.contracts.inference import decode_inference

Document = Mapping[str, Any]
Decoded = tuple[Sequence[ImageRecord] | Sequence[InferenceRecord], frozenset[Place]]
"""The valid records, and the positions of the invalid ones."""


def image_records(records: Iterable[Any]) -> tuple[list[ImageRecord], frozenset[tuple[int, int]]]:
    """Decode the records of the images; return the valid ones and the positions of the invalid ones."""
    good, bad = [], []
    for record in records:
        try:
            image = decode_image(record.key, record.value, record.headers)
        except ContractError:
            bad.append((record.partition, record.offset))
            continue
        good.append(
            ImageRecord(
                id=image.id,
                producer_id=image.producer_id,
                run=image.run,
                sequence=image.sequence,
                actual_value=image.actual_value,
                captured_at=image.captured_at,
                appended_at=record.timestamp * 1000,
                digest=hashlib.sha256(image.payload).digest(),
                partition=record.partition,
                offset=record.offset,
            )
        )
    return good, frozenset(bad)


def inference_records(records: Iterable[Any]) -> tuple[list[InferenceRecord], frozenset[tuple[int, int]]]:
    """Decode the records of the inferences; return the valid ones and the positions of the invalid ones."""
    good, bad = [], []
    for record in records:
        try:
            inference = decode_inference(record.key, record.value)
        except ContractError:
            bad.append((record.partition, record.offset))
            continue
        good.append(
            InferenceRecord(
                id=inference.id,
                producer_id=inference.producer_id,
                run=inference.run,
                sequence=inference.sequence,
                model=inference.model,
                image_prediction=inference.image_prediction,
                actual_value=inference.actual_value,
                confidence=inference.confidence,
                captured_at=inference.captured_at,
                inferred_at=inference.inferred_at,
                partition=record.partition,
                offset=record.offset,
            )
        )
    return good, frozenset(bad)


def dead_letter_records(records: Iterable[Any]) -> list[DeadLetter]:
    """Decode the dead letters, one per refused record. Records that are not dead letters are skipped."""
    letters: dict[tuple[str, int, int], DeadLetter] = {}
    for record in records:
        try:
            letter = decode_dead_letter(record.value)
        except ContractError:
            continue
        letters.setdefault(
            (letter.topic, letter.partition, letter.offset),
            DeadLetter(letter.topic, letter.partition, letter.offset, named_id(letter.key), letter.cause.value),
        )
    return list(letters.values())


def named_id(key: bytes | None) -> str | None:
    """Return a record's key as an image id; None if it is not one."""
    text = "" if key is None else key.decode("ascii", "replace")
    try:
        parse_id(text)
    except ContractError:
        return None
    return text


def stored_image(document: Document) -> StoredImage:
    """Convert a document of the images collection."""
    place = document["kafka"]
    return StoredImage(
        id=document["_id"],
        producer_id=document["producer_id"],
        run=document["run"],
        sequence=document["sequence"],
        actual_value=document.get("actual_value"),
        captured_at=document["captured_at"],
        received_at=document["received_at"],
        payload_sha256=document["payload_sha256"],
        digest=hashlib.sha256(document["image"]).digest(),
        partition=place["partition"],
        offset=place["offset"],
    )


def stored_inference(document: Document) -> StoredInference:
    """Convert a document of the inferences collection."""
    place = document["kafka"]
    return StoredInference(
        key=document["_id"],
        id=document["id"],
        producer_id=document["producer_id"],
        model=document["model"],
        image_prediction=document["image_prediction"],
        actual_value=document.get("actual_value"),
        confidence=document["confidence"],
        captured_at=document["captured_at"],
        inferred_at=document["inferred_at"],
        partition=place["partition"],
        offset=place["offset"],
    )


def result(document: Document) -> Result:
    """Convert a document of the counts."""
    offsets: Offsets | None = None
    if "offsets" in document:
        offsets = {int(partition): int(offset) for partition, offset in document["offsets"].items()}
    return Result(
        producer_id=document["producer_id"],
        total=document["total_count"],
        incorrect=document["incorrect_count"],
        model=document["model"],
        updated_at=document["updated_at"],
        offsets=offsets,
    )
