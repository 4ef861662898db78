"""What a commit says of the log that was read: the offset, the epoch of the record before it, and in its metadata string, as JSON, a note.

The note has the topic's id, and the ranges of offsets that the log had lost after they were read, once that was accepted: nobody else knows of
them when other records are there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kafka.structs import OffsetAndMetadata

from quartet.contracts.strict_json import load_object

log = logging.getLogger(__name__)

#: Ranges that a note keeps, the newest ones: Kafka takes 4,096 bytes (offset.metadata.max.bytes)
MOST_RANGES: Final = 20
Range = tuple[int, int]
"""The first offset, and the one after the last."""


@dataclass(frozen=True)
class Note:
    """What a commit's metadata says. `topic_id`: None if unknown; `lost`: offsets that were read, lost by the log, and may be others now."""

    topic_id: str | None = None
    lost: Sequence[Range] = ()


def commit_of(offset: int, epoch: int, note: Note) -> OffsetAndMetadata:
    """Return a commit of the next offset to read. `epoch`: of the record before it."""
    if note.topic_id is None:
        return OffsetAndMetadata(offset, "", epoch)
    lost = {"lost": note.lost[-MOST_RANGES:]} if note.lost else {}
    return OffsetAndMetadata(offset, json.dumps({"topic_id": note.topic_id, **lost}), epoch)


def note_of(commit: OffsetAndMetadata) -> Note:
    """Return the note of a commit; an empty one if there is none, as in commits of earlier releases and of other tools."""
    if not commit.metadata:
        return Note()
    try:
        found = load_object(commit.metadata.encode())
        if found.keys() not in ({"topic_id"}, {"topic_id", "lost"}) or not isinstance(found["topic_id"], str):
            raise ValueError("it is not an object with topic_id, a text, and nothing but lost besides")
        return Note(found["topic_id"], [_range(one) for one in found.get("lost", [])])
    except (ValueError, TypeError) as error:
        log.warning("the metadata of a commit is not Quartet's, and is not used: %s", error)
        return Note()


def _range(found: object) -> Range:
    match found:
        case [int() as first, int() as stop] if 0 <= first < stop:
            return first, stop
    raise ValueError(f"{found} is not a range of offsets")
