"""`quartet trace ID`: one image at every stage of the pipeline, and whether it is counted."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from quartet.audit import reader
from quartet.audit.decoding import dead_letter_records, inference_records
from quartet.audit.evidence import DeadLetter, InferenceRecord, Result
from quartet.contracts.causes import ContractError
from quartet.contracts.ids import parse_id
from quartet.mongodb import client as mongodb_client
from quartet.runtime import settings
from quartet.runtime.errors import ExitCode, QuartetError, exit_if_unavailable

#: Characters from dark to bright, for ASCII art.
_SHADES = " .:-=+*#%@"


@dataclass(frozen=True)
class ImageTrace:
    """Everything found about one image. `document` and `inference`: its documents in the database; `log`: its inference records."""

    id: str
    model: str
    document: Mapping[str, Any] | None
    inference: Mapping[str, Any] | None
    log: Sequence[InferenceRecord]
    dead_letters: Sequence[DeadLetter]
    stream: Result | None


def ascii_art(payload: bytes) -> list[str]:
    """Draw an image of 3,072 planar bytes as ASCII art: 32 columns, 16 rows."""
    grey = [sum(payload[plane * 1024 + i] for plane in range(3)) // 3 for i in range(1024)]
    pairs = [[(grey[64 * row + x] + grey[64 * row + 32 + x]) // 2 for x in range(32)] for row in range(16)]
    return ["".join(_SHADES[value * len(_SHADES) // 256] for value in row) for row in pairs]


def lines(trace: ImageTrace) -> list[str]:
    """Format a trace as lines of text."""
    text = [f"image {trace.id}"]
    captured = None
    if (document := trace.document) is not None:
        captured = document["captured_at"]
        place = document["kafka"]
        text += ascii_art(document["image"])
        same = hashlib.sha256(document["image"]).hexdigest() == document["payload_sha256"]
        text += [
            f"label      {document.get('actual_value') or 'unknown'}",
            f"captured   {_time(captured)}",
            f"in Kafka   {place['topic']} partition {place['partition']} offset {place['offset']}",
            f"stored     {_time(document['received_at'], captured)}  sha256 {document['payload_sha256'][:16]}…"
            + ("" if same else "  BUT THE BYTES DIFFER"),
        ]
    else:
        text.append("stored     no")
    for number, record in enumerate(trace.log):
        text.append(
            f"inferred   {_time(record.inferred_at, captured)}  {record.image_prediction} ({record.confidence:.3f}) by {record.model}, "
            f"partition {record.partition} offset {record.offset}" + ("" if number == 0 else "  again: not counted")
        )
    if trace.inference is not None:
        place = trace.inference["kafka"]
        text.append(f"           stored from partition {place['partition']} offset {place['offset']}")
    elif not trace.log:
        text.append("inferred   not yet")
    text += [f"refused    {d.topic} partition {d.partition} offset {d.offset}: {d.cause}" for d in trace.dead_letters]
    text.append(f"counted    {counted(trace)}")
    return text


def counted(trace: ImageTrace) -> str:
    """Return whether the image is counted, and as what."""
    if not trace.log:
        return "no: there is no inference of it" + (f" by {trace.model}" if trace.document is not None else "")
    first = trace.log[0]
    if first.actual_value is None:
        return "no: the image has no label"
    outcome = (
        "right" if first.image_prediction == first.actual_value else f"wrong ({first.actual_value} classified as {first.image_prediction})"
    )
    offsets = (trace.stream.offsets if trace.stream is not None else None) or {}
    reached = first.offset < offsets.get(first.partition, 0)
    return f"as {outcome}; the stream has {'counted it' if reached else 'not reached it yet'}"


def find_trace(auditor: reader.Auditor, image_id: str) -> ImageTrace:
    """Look up an image in the database and the topics."""
    options = auditor.settings
    producer_id = parse_id(image_id)[0]
    with mongodb_client.translate_errors():
        document = auditor.image_collection.find_one({"_id": image_id})
        inference = auditor.inference_collection.find_one({"_id": f"{image_id}/{options.model}"})
    stream = next((r for r in auditor.stream() if r.producer_id == producer_id), None)
    _, letters = auditor.read_topic(options.topics.dead_letters)
    _, log = auditor.read_topic(options.topics.inferences)
    records, _ = inference_records(record for record in log if record.key == image_id.encode())
    return ImageTrace(
        id=image_id,
        model=options.model,
        document=document,
        inference=inference,
        log=sorted((r for r in records if r.model == options.model), key=lambda r: (r.partition, r.offset)),
        dead_letters=[letter for letter in dead_letter_records(letters) if letter.id == image_id],
        stream=stream,
    )


def _time(microseconds: int, since: int | None = None) -> str:
    text = datetime.fromtimestamp(microseconds / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")
    return text if since is None else f"{text} (+{(microseconds - since) / 1000:.1f} ms)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet trace`."""
    parser.add_argument("--config", required=True, metavar="FILE", help="the auditor's settings (JSON)")
    parser.add_argument("id", metavar="ID", help="an image's id, such as 101-first-000000000007")


def run(arguments: argparse.Namespace) -> int:
    """Print the trace of an image; exit with 1 if there is none."""
    options = settings.load(settings.AuditorSettings, arguments.config)
    try:
        parse_id(arguments.id)
    except ContractError as error:
        raise QuartetError(ExitCode.INPUT, error.detail) from None
    with exit_if_unavailable():
        trace = find_trace(reader.Auditor(options), arguments.id)
    if trace.document is None and not trace.log and not trace.dead_letters:
        print(f"there is no trace of {arguments.id}: not stored, not inferred, not refused")
        return ExitCode.FAILED
    print("\n".join(lines(trace)))
    return ExitCode.OK
