"""The ledger's eight rules, applied to what the auditor script read; independent of the product's own `verify`."""

from __future__ import annotations

import base64
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Case:
    """What was sent (ledgers), the current data (evidence), the state before the fault (mark), and what is unread or not running."""

    ledgers: list[Json]
    evidence: Json
    mark: Json
    outstanding: list[str]
    sent: dict[str, str] = field(init=False)
    acknowledged: set[str] = field(init=False)
    stored: set[str] = field(init=False)
    refused: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.sent, self.acknowledged = {}, set()
        for ledger in self.ledgers:
            digests = zlib.decompress(base64.b64decode(ledger["payload_sha256"]))
            name = f"{ledger['producer_id']}-{ledger['run']}"
            self.sent |= {f"{name}-{n:012d}": digests[32 * n : 32 * n + 32].hex() for n in range(ledger["high_water"])}
            self.acknowledged |= {f"{name}-{n:012d}" for first, end in ledger["acknowledged"] for n in range(first, end)}
        self.stored = {row[0] for row in self.evidence["stored"]}
        topic = self.mark["topics"]["images"]
        places = {f"{topic}/{partition}/{offset}": name for name, _, partition, offset, *_ in self.evidence["images"]}
        letters = {key for key, cause in self.evidence["letters"] if cause != "id-conflict"}
        self.refused = {places[key] for key in letters if key in places}

    @property
    def lost(self) -> set[str]:
        """Images that were acknowledged and are neither stored nor in the dead letters."""
        return self.acknowledged - self.stored - self.refused

    @property
    def doubled(self) -> list[str]:
        """Images and inferences that are stored more than once."""
        images = Counter(row[0] for row in self.evidence["stored"])
        inferences = Counter(f"{row[0]}/{row[1]}" for row in self.evidence["inferred"])
        return [name for counter in (images, inferences) for name, n in counter.items() if n > 1]

    @property
    def sent_again(self) -> int:
        """Number of records in both topics that were sent more than once: the fault had an effect, and must not change the result."""
        images = len(self.evidence["images"]) - len({row[0] for row in self.evidence["images"]})
        return images + len(self.evidence["inferences"]) - len({tuple(row[:2]) for row in self.evidence["inferences"]})


def _one_document(case: Case) -> Iterable[str]:
    yield from case.doubled
    hashes = defaultdict(set)
    for name, digest, *_ in case.evidence["images"]:
        hashes[name].add(digest)
    yield from (f"{name} was sent with {len(found)} payloads" for name, found in hashes.items() if len(found) > 1)


def _bytes(case: Case) -> Iterable[str]:
    for name, digest, written in case.evidence["stored"]:
        if not digest == written == case.sent.get(name):
            yield f"{name} is {digest[:12]}, says {written[:12]}, was sent as {case.sent.get(name, 'nothing')[:12]}"


def _one_inference(case: Case) -> Iterable[str]:
    found = Counter(row[0] for row in case.evidence["inferred"] if row[1] == case.mark["model"])
    yield from (f"{name} has {found[name]} inferences" for name in sorted(case.stored) if found[name] != 1)
    yield from (f"{name} has an inference and no image" for name in sorted(set(found) - case.stored))


def first_records(inferences: list[list[Any]]) -> dict[tuple[str, str], list[Any]]:
    """Return the first record of each id and model in log order; an id's records are all in one partition."""
    first: dict[tuple[str, str], list[Any]] = {}
    for row in sorted(inferences, key=lambda row: (row[5], row[6])):
        first.setdefault((row[0], row[1]), row)
    return first


def recount(inferences: list[list[Any]], model: str) -> dict[str, list[int]]:
    """Return [wrong, all] by producer."""
    totals: dict[str, list[int]] = {}
    for (_, of), (_, _, prediction, actual, producer, *_) in first_records(inferences).items():
        if of == model and actual is not None:
            total = totals.setdefault(str(producer), [0, 0])
            total[0] += prediction != actual
            total[1] += 1
    return totals


def _counts(case: Case) -> Iterable[str]:
    for producer, total in recount(case.evidence["inferences"], case.mark["model"]).items():
        before, after = (at["stream"].get(producer, [0, 0]) for at in (case.mark, case.evidence))
        grown = [after[0] - before[0], after[1] - before[1]]
        if grown != total:
            yield f"producer {producer}: the stream counted {grown} wrong and all, the recount is {total}"
    first = first_records(case.evidence["inferences"])
    for name, model, prediction, partition, offset in case.evidence["inferred"]:
        row = first.get((name, model))
        if row is None or [row[2], row[5], row[6]] != [prediction, partition, offset]:
            yield f"{name}/{model} is {prediction} of {partition}/{offset}, the log's first is {row}"


RULES: dict[str, Callable[[Case], Iterable[str]]] = {
    "1 nothing acknowledged is lost": lambda case: sorted(case.lost),
    "2 nothing is invented": lambda case: sorted((case.stored | case.refused) - case.sent.keys()),
    "3 one document and one payload per id": _one_document,
    "4 stored bytes are the sent bytes": _bytes,
    "5 nothing is both stored and refused": lambda case: sorted(case.stored & case.refused),
    "6 all is read, and every unit is active": lambda case: case.outstanding,
    "7 one inference per image": _one_inference,
    "8 stream and documents equal the recount": _counts,
}


def broken(case: Case) -> list[str]:
    """Return each rule that does not hold, with the first ids that break it."""
    found = {rule: list(check(case)) for rule, check in RULES.items()}
    return [f"rule {rule}: {len(wrong)}, first {'; '.join(wrong[:5])}" for rule, wrong in found.items() if wrong]


def totals_of(counts: Json) -> dict[str, list[int]]:
    """Return [wrong, all] by producer of a results collection as the auditor read it."""
    return {producer: row[:2] for producer, row in sorted(counts.items())}


def parse(text: str) -> Json:
    """Read what the auditor printed."""
    result: Json = json.loads(text.splitlines()[-1])
    return result
