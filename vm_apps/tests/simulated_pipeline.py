"""A pipeline at the console's adapter boundary: two cameras, of which 102 is bad, and the answers that Kafka, MongoDB and Prometheus would give.

Deterministic but for the time. For pages and pictures without a VM; the adapters themselves are tested against real servers.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from default_names import GROUPS, MODEL
from quartet.console.prometheus_api import Sample, Series
from quartet.contracts.ids import image_id
from quartet.contracts.inference import Inference
from quartet.contracts.labels import LABELS
from quartet.runtime.errors import Unavailable

WRONG = {101: 0.06, 102: 0.4}
#: What a camera sends: (producer, sequence) -> 3,072 bytes and the label
Picture = Callable[[int, int], tuple[bytes, str]]
HOSTS = {
    "mongod": "vm1",
    "quartet-db-consumer@images": "vm2",
    "quartet-db-consumer@inferences": "vm2",
    "spark-master": "vm2",
    "spark-worker": "vm2",
    "quartet-spark-stream": "vm2",
    "quartet-spark-batch": "vm2",
    "quartet-exporter": "vm2",
    "kafka": "vm3",
    "quartet-producer@101": "vm3",
    "quartet-producer@102": "vm3",
    "quartet-inference": "vm4",
}


def gradient(producer: int, sequence: int) -> tuple[bytes, str]:
    """Return a plain picture, another one for each sequence."""
    planes = [[(x * (plane + 2) + y * (3 - plane) + 37 * sequence) % 256 for y in range(32) for x in range(32)] for plane in range(3)]
    return bytes(value for plane in planes for value in plane), LABELS[(sequence * 7 + producer) % 10]


class SimulatedPipeline:
    """Tail, database and metrics in one. `rate`: inferences per second of both cameras together; `unstored`: ids that are not stored yet."""

    def __init__(self, picture: Picture = gradient, rate: float = 40, producers: Sequence[int] = (101, 102), begun: int = 4_000) -> None:
        self._picture, self._rate, self._producers = picture, rate, producers
        self._begun_at, self._begun = time.time(), begun
        self._lock = threading.Lock()
        self._made = begun - 48
        self._random = random.Random(1)
        self._inferences: dict[str, Inference] = {}
        self.unstored: set[str] = set()
        self.down: set[str] = set()
        self.alerts_now: list[dict[str, Any]] = []
        self.failing: dict[str, str] = {}
        self.truths: dict[str, str] = {}

    def _due(self) -> int:
        return self._begun + int((time.time() - self._begun_at) * self._rate)

    def _make(self, number: int) -> Inference:
        producer = self._producers[number % len(self._producers)]
        sequence = number // len(self._producers)
        truth = self._picture(producer, sequence)[1]
        wrong = self._random.random() < WRONG.get(producer, 0.1)
        prediction = self._random.choice([label for label in LABELS if label != truth]) if wrong else truth
        confidence = self._random.uniform(0.31, 0.74) if wrong else self._random.uniform(0.82, 0.999)
        now = time.time_ns() // 1000
        return Inference(
            id=image_id(producer, "first", sequence),
            run="first",
            sequence=sequence,
            image_prediction=prediction,
            actual_value=truth,
            producer_id=producer,
            confidence=confidence,
            model=MODEL,
            captured_at=now - 31_000 - self._random.randrange(9_000),
            inferred_at=now,
        )

    def _check(self, source: str) -> None:
        if source in self.failing:
            raise Unavailable(source, self.failing[source])

    # the tail of the topic
    def read(self, seconds: float) -> list[Inference]:
        """Return what came within so many seconds."""
        self._check("kafka")
        time.sleep(min(seconds, 0.1))
        with self._lock:
            made = [self._make(number) for number in range(self._made, self._due())]
            self._made = max(self._made, self._due())
            self._inferences.update({inference.id: inference for inference in made})
            for old in list(self._inferences)[:-4000]:
                del self._inferences[old]
        return made

    def log_end(self) -> int:
        return self._due()

    # the database
    def server(self) -> str:
        self._check("mongodb")
        return "MongoDB 6.0.5"

    def images(self, ids: Sequence[str]) -> dict[str, bytes]:
        self._check("mongodb")
        with self._lock:
            there = [name for name in ids if name in self._inferences and name not in self.unstored]
        return {name: self._picture(int(name.split("-")[0]), int(name.split("-")[2]))[0] for name in there}

    def stored(self) -> dict[int, dict[str, int]]:
        self._check("mongodb")
        each = self._due() // len(self._producers)
        return {producer: {"stored": each, "inferred": each - 3} for producer in self._producers}

    def results(self) -> dict[str, dict[int, dict[str, Any]]]:
        self._check("mongodb")
        each = self._due() // len(self._producers)

        def counted(total: int) -> dict[int, dict[str, Any]]:
            return {p: {"incorrect": int(total * WRONG.get(p, 0.1)), "total": total, "at": self._begun_at} for p in self._producers}

        return {"stream": counted(each - 20), "batch": counted(self._begun // len(self._producers))}

    def documents(self, image: str) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        self._check("mongodb")
        with self._lock:
            found = self._inferences.get(image)
        if found is None:
            return None, None
        place = {"topic": "images", "partition": 4, "offset": found.sequence}
        row = {"captured_at": found.captured_at, "actual_value": found.actual_value, "kafka": place}
        stored = {
            **row,
            "received_at": found.captured_at + 12_400,
            "payload_sha256": "7d1a54127b222502f5b79b5fb0803061152a44f92b37e23c6527baf665d4da9a",
        }
        classified = {**row, "image_prediction": found.image_prediction, "confidence": found.confidence, "model": MODEL}
        inferred = {**classified, "inferred_at": found.inferred_at, "kafka": {**place, "topic": "inferences"}}
        return None if image in self.unstored else stored, inferred

    def stream_offsets(self, producer_id: int) -> dict[int, int]:
        return {4: 10**9}

    # Prometheus
    def query(self, expression: str) -> list[Sample]:
        self._check("prometheus")
        waver = self._rate * (1 + 0.02 * math.sin(time.time()))
        single = {"sent": waver, "appended": waver * 1.003, "inferred": waver * 0.998, "stored": waver * 1.001, "counted": waver * 0.991}
        single |= {"brokers": 1, "under_replicated": 0}
        lags = {GROUPS.images: (0.02, 3), GROUPS.inferences: (0.04, 4), GROUPS.inference: (0.05, 6), "spark-stream": (2.4, 96)}
        found = [Sample({"question": name}, value) for name, value in single.items()]
        for group, (seconds, records) in lags.items():
            found.append(Sample({"question": "behind", "consumergroup": group}, seconds))
            found.append(Sample({"question": "unread", "consumergroup": group}, records))
        found += [
            Sample({"question": "sent_total", "producer_id": str(p)}, self._due() // len(self._producers) + 2) for p in self._producers
        ]
        for name, host in HOSTS.items():
            state = "failed" if name in self.down else "inactive" if "batch" in name else "active"
            if not name.startswith("quartet-producer@") or int(name.split("@")[1]) in self._producers:
                found.append(Sample({"question": "unit", "name": f"{name}.service", "host": host, "state": state}, 1))
        return [*found, Sample({"question": "build", "app": "inference", "version": "0.2.0", "digest": ""}, 1)]

    def query_range(self, expression: str, start: int, end: int, step: int) -> list[Series]:
        self._check("prometheus")
        times = list(range(start, end + 1, step))

        def wave(base: float, part: float, shift: float) -> dict[int, float | None]:
            noise = [math.sin(at / 97 + shift) + 0.6 * math.sin(at / 23 + 2 * shift) + 0.3 * math.sin(at / 7 + shift) for at in times]
            return {at: max(0.0, base * (1 + part * value)) for at, value in zip(times, noise, strict=True)}

        lines = {"sent": (self._rate, 0.03, 0), "inferred": (self._rate * 0.97, 0.03, 1), "stored": (self._rate * 0.94, 0.03, 2)}
        lines |= {"p50": (0.031, 0.05, 0), "p99": (0.052, 0.12, 1)}
        found = [Series({"question": name}, wave(*shape)) for name, shape in lines.items()]
        lags = {
            GROUPS.inference: (0.05, 0.3, 0),
            GROUPS.images: (0.03, 0.3, 1),
            GROUPS.inferences: (0.05, 0.3, 2),
            "spark-stream": (2.4, 0.3, 3),
        }
        return found + [Series({"question": "behind", "consumergroup": group}, wave(*shape)) for group, shape in lags.items()]

    def alerts(self) -> list[dict[str, Any]]:
        self._check("prometheus")
        return [*self.alerts_now, {"labels": {"alertname": "Watchdog", "severity": "none"}, "state": "firing"}]
