"""A run of any size with one planted fault for each rule of verify: ledgers, records and documents, made as they are read.

Records are encoded and decoded, and images are hashed, as on a VM; only the transport by Kafka and MongoDB is missing. As a program
(`python -m benchmarks.synthetic_servers IMAGES FOLDER [MEMORY_LIMIT]`) it verifies such a run in FOLDER and prints seconds, peak memory and verdict as JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import resource
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from quartet.audit import verdict
from quartet.audit.collection import collected_evidence
from quartet.audit.decoding import stored_image, stored_inference
from quartet.audit.evidence import LogCut, Result, StoredImage, StoredInference, TopicRange
from quartet.audit.evidence_file import MEMORY_LIMIT
from quartet.audit.reader import Auditor
from quartet.contracts.causes import Cause
from quartet.contracts.dead_letter import DeadLetter, encode_dead_letter
from quartet.contracts.image import Image, encode_image
from quartet.contracts.labels import LABELS

MODEL: Final = "0123456789ab"
PRODUCERS: Final = 8
PARTITIONS: Final = 12
#: What is wrong with single images, by their number in the run
ABSENT, UNSTORED, CONFLICT, ALTERED, REFUSED, UNCLASSIFIED = 5, 17, 29, 41, 53, 65
UNREAD: Final = 3
MISCOUNTED: Final = 103


def image_of(number: int) -> Image:
    """Return an image of the run; every image has other bytes, and some have no label."""
    return Image(
        producer_id=101 + number % PRODUCERS,
        run="bench",
        sequence=number // PRODUCERS,
        actual_value=LABELS[number % 10] if number % 97 else None,
        captured_at=1_000_000 + 100 * number,
        payload=number.to_bytes(8, "little") * 384,
    )


def inference_of(number: int) -> dict[str, Any]:
    """Return the fields of an image's inference, by their names in the contract; one in eleven is wrong."""
    image = image_of(number)
    return {
        "id": image.id,
        "run": image.run,
        "sequence": image.sequence,
        "image_prediction": LABELS[(number + (number % 11 == 0)) % 10],
        "actual_value": image.actual_value,
        "producer_id": image.producer_id,
        "confidence": 0.5,
        "model": MODEL,
        "captured_at": image.captured_at,
        "inferred_at": image.captured_at + 30_000,
    }


class SyntheticServers(Auditor):
    """Answers as the servers of a run of `images` images; every hundredth inference was delivered twice."""

    def __init__(self, images: int) -> None:
        self.images = images
        names = SimpleNamespace(images="images", inferences="inferences", dead_letters="dead-letters")
        self.settings = SimpleNamespace(model=MODEL, topics=names)  # type: ignore[assignment]
        self._end = images // PARTITIONS + 1
        self._doubled = range(0, images, 100)

    def write_ledgers(self, file: Path) -> None:
        """Write the producers' ledgers, as `quartet ledger export` prints them."""
        ledgers = []
        for first in range(PRODUCERS):
            numbers = range(first, self.images, PRODUCERS)
            digests = b"".join(hashlib.sha256(image_of(number).payload).digest() for number in numbers)
            ledgers.append(
                {
                    "producer_id": 101 + first,
                    "run": "bench",
                    "high_water": len(numbers),
                    "finished": len(numbers),
                    "dataset": {"kind": "glyphs"},
                    "acknowledged": [[0, len(numbers)]],
                    "payload_sha256": base64.b64encode(zlib.compress(digests, 1)).decode(),
                }
            )
        file.write_text(json.dumps(ledgers))

    def log_cuts(self) -> list[LogCut]:
        """Return that no log has lost anything."""
        return []

    def _extents(self) -> dict[str, TopicRange]:
        begin = dict.fromkeys(range(PARTITIONS), 0)
        doubled = dict.fromkeys(range(PARTITIONS), self._end + len(self._doubled))
        return {
            "images": TopicRange(begin, {**dict.fromkeys(range(PARTITIONS), self._end), CONFLICT % PARTITIONS: self._end + 1}),
            "inferences": TopicRange(begin, doubled),
            "dead-letters": TopicRange({0: 0}, {0: 1}),
        }

    def committed(self) -> dict[str, dict[int, int]]:
        """Return the ends of the topics, except for the last records of a partition, which inference has not read."""
        extents = self._extents()
        images = dict(extents["images"].end)
        behind = {**images, PARTITIONS - 1: images[PARTITIONS - 1] - UNREAD}
        return {"images": images, "inferences": dict(extents["inferences"].end), "inference": behind}

    def batch(self) -> list[Result]:
        """Return nothing: the batch has not run yet."""
        return []

    def stream(self) -> list[Result]:
        """Return the counts of everything, one of them wrong."""
        totals = {producer: [0, 0] for producer in range(101, 101 + PRODUCERS)}
        for number in self._inferred():
            if number % 97:
                totals[101 + number % PRODUCERS][0] += 1
                totals[101 + number % PRODUCERS][1] += number % 11 == 0
        totals[MISCOUNTED][0] += 1
        return [Result(producer, total, wrong, MODEL, 1, self._extents()["inferences"].end) for producer, (total, wrong) in totals.items()]

    def stored_images(self) -> Iterator[StoredImage]:
        """Yield the documents of images: one is missing, one has other bytes, and one was never sent."""
        for number in self._sent():
            if number != UNSTORED:
                yield stored_image(_image_document(number, b"x" * 3072 if number == ALTERED else image_of(number).payload))
        ghost = _image_document(0, image_of(0).payload)
        yield stored_image({**ghost, "_id": "101-ghost-000000000000", "run": "ghost"})

    def stored_inferences(self) -> Iterator[StoredInference]:
        """Yield the documents of inferences."""
        for number in self._inferred():
            inference = inference_of(number)
            yield stored_inference({**inference, "_id": f"{inference['id']}/{MODEL}", "kafka": _place(number)})

    def counts(self) -> dict[str, int]:
        """Return the number of documents, about."""
        return {"images": self.images, "inferences": self.images}

    def ranges(self, *topics: str) -> dict[str, TopicRange]:
        """Return the ranges of topics."""
        return {topic: self._extents()[topic] for topic in topics}

    def read_topic(self, topic: str) -> tuple[TopicRange, Iterator[Any]]:
        """Return a topic's range and its records."""
        records = {"images": self._image_log, "inferences": self._inference_log, "dead-letters": self._letters}
        return self._extents()[topic], records[topic]()

    def versions(self) -> dict[str, str]:
        """Return that no server runs."""
        return {"database": "none"}

    def _sent(self) -> Iterator[int]:
        return (number for number in range(self.images) if number != ABSENT)

    def _inferred(self) -> Iterator[int]:
        return (number for number in self._sent() if number != UNCLASSIFIED)

    def _image_log(self) -> Iterator[Any]:
        for number in self._sent():
            yield _record(_place(number), *encode_image(image_of(number)))
        key, _, headers = encode_image(image_of(CONFLICT))
        yield _record({"partition": CONFLICT % PARTITIONS, "offset": self._end}, key, b"y" * 3072, headers)

    def _inference_log(self) -> Iterator[Any]:
        for number in self._inferred():
            yield _inference_record(_place(number), number)
        for again, number in enumerate(self._doubled):
            yield _inference_record({"partition": number % PARTITIONS, "offset": self._end + again}, number)

    def _letters(self) -> Iterator[Any]:
        letter = DeadLetter(
            topic="images",
            **_place(REFUSED),
            key=image_of(REFUSED).id.encode(),
            value=None,
            headers=(),
            cause=Cause.DATABASE_REJECTED,
            detail="",
            refused_at=1,
        )
        yield _record({"partition": 0, "offset": 0}, *encode_dead_letter(letter))


def _place(number: int) -> dict[str, int]:
    return {"partition": number % PARTITIONS, "offset": number // PARTITIONS}


def _record(place: Mapping[str, int], key: bytes, value: bytes, headers: Any = ()) -> Any:
    return SimpleNamespace(key=key, value=value, headers=headers, timestamp=1_000, **place)


def _inference_record(place: Mapping[str, int], number: int) -> Any:
    # not by encode_inference, which takes longer than all that is measured
    inference = inference_of(number)
    return _record(place, inference["id"].encode(), json.dumps({"schema": "inference/1", **inference}).encode())


def _image_document(number: int, payload: bytes) -> dict[str, Any]:
    image = image_of(number)
    return {
        "_id": image.id,
        "image": payload,
        "payload_sha256": hashlib.sha256(payload).hexdigest(),
        "actual_value": image.actual_value,
        "producer_id": image.producer_id,
        "run": image.run,
        "sequence": image.sequence,
        "captured_at": image.captured_at,
        "received_at": image.captured_at + 20_000,
        "kafka": _place(number),
    }


def main(images: int, folder: Path, memory_limit: str = MEMORY_LIMIT) -> dict[str, Any]:
    """Verify a synthetic run in a folder; return seconds, MiB and findings by rule. The making of the records is included in both."""
    servers = SyntheticServers(images)
    servers.write_ledgers(folder / "ledgers.json")
    begin, cpu = time.monotonic(), time.process_time()
    with collected_evidence(servers, folder / "ledgers.json", None, memory_limit=memory_limit) as evidence:
        collected = time.monotonic()
        judged = verdict.judge(evidence)
        disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.suffix != ".json")
    return {
        "seconds": time.monotonic() - begin,
        "cpu_seconds": time.process_time() - cpu,
        "judged_seconds": time.monotonic() - collected,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "disk_bytes_per_image": disk / images,
        "states": {rule.number: rule.state.value for rule in judged.rules},
        "findings": {rule.number: [*rule.broken, *rule.pending] for rule in judged.rules},
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])))
