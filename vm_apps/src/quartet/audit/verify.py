"""The judge: recounts everything in plain Python, without Spark, and says which promise does not hold.

It works on a live system. What the consumers have not committed yet is pending, not lost; the stream is compared at
its own offsets; the batch once everything has drained.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from quartet.audit import figures, reader
from quartet.audit.evidence import Evidence, ImageRecord, InferenceRecord, Ledger, Offsets, in_log_order
from quartet.contracts.ids import parse_id
from quartet.counting.totals import Inference, Totals, count
from quartet.runtime import settings
from quartet.runtime.errors import ExitCode

EXAMPLES = 5
"""How many offenders of a broken rule are named."""


class State(StrEnum):
    """What became of a rule. Pending: nothing contradicts it, but not everything has arrived yet."""

    HOLDS = "holds"
    PENDING = "pending"
    BROKEN = "broken"


@dataclass
class Rule:
    """One promise of the pipeline and what speaks against it."""

    number: int
    title: str
    broken: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def state(self) -> State:
        """Whether the rule holds."""
        if self.broken:
            return State.BROKEN
        return State.PENDING if self.pending else State.HOLDS

    def blame(self, what: str, offenders: Iterable[object]) -> None:
        """Note that these break the rule, if there are any."""
        if text := _named(what, offenders):
            self.broken.append(text)

    def wait_for(self, what: str, ones: Iterable[object]) -> None:
        """Note that these have not arrived yet, if there are any."""
        if text := _named(what, ones):
            self.pending.append(text)


@dataclass
class ProducerRow:
    """What is shown of one producer."""

    producer_id: int
    sent: int = 0
    acknowledged: int = 0
    stored: int = 0
    refused: int = 0
    inferred: int = 0
    pending: int = 0
    batch_total: int | None = None
    batch_incorrect: int | None = None
    stream_total: int | None = None
    stream_incorrect: int | None = None
    recount_total: int = 0
    recount_incorrect: int = 0


@dataclass
class Verdict:
    """All rules and all figures."""

    taken_at: int
    model: str
    drained: bool
    rules: list[Rule]
    producers: list[ProducerRow]
    figures: dict[str, Any]
    versions: dict[str, str]

    @property
    def broken(self) -> list[Rule]:
        """The rules that do not hold."""
        return [rule for rule in self.rules if rule.state is State.BROKEN]

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` writes and `quartet report` reads."""
        return {
            "schema": "verify/1",
            "holds": not self.broken,
            **{name: value for name, value in asdict(self).items() if name != "rules"},
            "rules": [{**asdict(rule), "state": rule.state.value} for rule in self.rules],
        }


def judge(evidence: Evidence, ledgers: Sequence[Ledger]) -> Verdict:
    """Judge what was seen by the ledgers."""
    case = _Case(evidence, ledgers)
    rules = [
        case.nothing_lost(),
        case.nothing_invented(),
        case.one_document_an_id(),
        case.bytes_are_equal(),
        case.stored_or_refused(),
        case.nothing_left_to_read(),
        case.one_inference_an_image(),
        case.counts_agree(),
    ]
    return Verdict(
        taken_at=evidence.taken_at,
        model=evidence.model,
        drained=case.drained,
        rules=rules,
        producers=case.rows(),
        figures=figures.figures(evidence),
        versions=dict(evidence.versions),
    )


class _Case:
    """The indexes that several rules need."""

    def __init__(self, evidence: Evidence, ledgers: Sequence[Ledger]) -> None:
        self.evidence = evidence
        self.ledgers = {(ledger.producer_id, ledger.run): ledger for ledger in ledgers}
        self.stored = {document.id: document for document in evidence.stored_images}
        self.sent: dict[str, list[ImageRecord]] = defaultdict(list)
        for image in in_log_order(evidence.images):
            self.sent[image.id].append(image)
        self.inferred: dict[str, InferenceRecord] = {}
        for inference in in_log_order(evidence.inferences):
            if inference.model == evidence.model:
                self.inferred.setdefault(inference.id, inference)
        refused = [d for d in evidence.dead_letters if d.topic == evidence.images_topic]
        self.refused_places = {(d.partition, d.offset): d for d in refused}
        self.refused_ids = {d.id: d for d in refused if d.id is not None and d.cause != "id-conflict"}
        self.refused_inferences = {(d.partition, d.offset) for d in evidence.dead_letters if d.topic == evidence.inferences_topic}
        # a refused record that was sent again and is stored now is resolved
        self.unresolved = {
            place
            for place, d in self.refused_places.items()
            if d.cause == "id-conflict" or d.id not in self.stored or self.place_of(d.id) == place
        }
        self.drained = all(evidence.lag(group) == 0 for group in ("images", "inferences", "inference")) and evidence.stream_lag() == 0

    def place_of(self, image_id: str) -> tuple[int, int]:
        """Return partition and offset of the record that was stored."""
        return self.stored[image_id].partition, self.stored[image_id].offset

    def first_of(self, image_id: str) -> list[ImageRecord]:
        """Return the first record of an id: of each partition, if a client sent it to several."""
        firsts: dict[int, ImageRecord] = {}
        for record in self.sent.get(image_id, []):
            firsts.setdefault(record.partition, record)
        return list(firsts.values())

    def committed(self, group: str, partition: int, offset: int) -> bool:
        return offset < self.evidence.committed.get(group, {}).get(partition, 0)

    def nothing_lost(self) -> Rule:
        rule = Rule(1, "nothing acknowledged is lost: it is stored, or refused with a cause")
        arrived = self.stored.keys() | self.refused_ids.keys()
        acknowledged = {
            f"{ledger.producer_id}-{ledger.run}-{sequence:012d}" for ledger in self.ledgers.values() for sequence in ledger.acknowledged
        }
        absent = acknowledged - arrived - self.sent.keys()
        lost: list[str] = []
        waiting: list[str] = []
        for image_id in self.sent.keys() - arrived:  # what is in the topic was acknowledged, whoever sent it
            first = self.sent[image_id][0]
            (lost if self.committed("images", first.partition, first.offset) else waiting).append(image_id)
        for name, bad, refused in (
            ("images", self.evidence.refused_images, self.refused_places.keys()),
            ("inferences", self.evidence.refused_inferences, self.refused_inferences),
        ):
            lost += [f"{name} {p}/{o}" for p, o in bad - refused if self.committed(name, p, o)]
        rule.blame("acknowledged, but neither in Kafka nor stored", absent)
        rule.blame("read and committed, but neither stored nor refused", lost)
        rule.wait_for("not yet read", waiting)
        return rule

    def nothing_invented(self) -> Rule:
        rule = Rule(2, "nothing is invented: what is stored or refused was sent")
        begin = self.evidence.topics[self.evidence.images_topic].begin
        foreign, newer, beyond = [], 0, []
        for document in self.stored.values():
            ledger = self.ledgers.get((document.producer_id, document.run))
            in_topic = document.id in self.sent or document.offset < begin.get(document.partition, 0)
            if not in_topic:
                foreign.append(document.id)
            elif ledger is not None and document.sequence >= ledger.high_water:
                if ledger.is_finished:
                    beyond.append(document.id)
                else:
                    newer += 1
        rule.blame("stored, but not in the topic", foreign)
        rule.blame("stored, but beyond what the finished producer sent", beyond)
        good = {(r.partition, r.offset) for records in self.sent.values() for r in records}
        places = self.refused_places.keys() - good - self.evidence.refused_images
        rule.blame("refused, but not in the topic", [f"{p}/{o}" for p, o in sorted(places) if o >= begin.get(p, 0)])
        if newer:
            rule.notes.append(f"{newer} stored after the ledger was read")
        without = {(d.producer_id, d.run) for d in self.stored.values()} - set(self.ledgers)
        if without:
            rule.notes.append(f"without a ledger, judged by the topic: {_some([f'{p}-{run}' for p, run in sorted(without)])}")
        return rule

    def one_document_an_id(self) -> Rule:
        rule = Rule(3, "one document an id, one payload an id")
        doubled = [i for i, n in Counter(d.id for d in self.evidence.stored_images).items() if n > 1]
        wrong_id = [d.id for d in self.stored.values() if d.id != f"{d.producer_id}-{d.run}-{d.sequence:012d}"]
        several, not_refused = [], []
        for image_id, records in self.sent.items():
            if len({r.partition for r in records}) > 1:
                several.append(image_id)
            not_refused += [
                f"{image_id} at {r.partition}/{r.offset}"
                for r in records
                if r.digest != records[0].digest
                and (r.partition, r.offset) not in self.refused_places
                and self.committed("images", r.partition, r.offset)
            ]
        rule.blame("several documents", doubled)
        rule.blame("documents whose id is not made of their fields", wrong_id)
        if several:
            rule.notes.append(f"ids that a client sent to several partitions, so that no order says which is first: {_some(several)}")
        rule.blame("other bytes under the same id, not refused as id-conflict", not_refused)
        return rule

    def bytes_are_equal(self) -> Rule:
        rule = Rule(4, "stored bytes are the sent bytes")
        field_wrong, topic_wrong, ledger_wrong, fields_wrong = [], [], [], []
        for document in self.stored.values():
            if document.digest.hex() != document.payload_sha256:
                field_wrong.append(document.id)
            if firsts := self.first_of(document.id):
                if document.digest not in [r.digest for r in firsts]:
                    topic_wrong.append(document.id)
                elif (document.actual_value, document.captured_at) not in [(r.actual_value, r.captured_at) for r in firsts]:
                    fields_wrong.append(document.id)
            ledger = self.ledgers.get((document.producer_id, document.run))
            if ledger is not None and ledger.digest(document.sequence) not in (None, document.digest):
                ledger_wrong.append(document.id)
        rule.blame("bytes differ from payload_sha256", field_wrong)
        rule.blame("bytes differ from the topic's", topic_wrong)
        rule.blame("bytes differ from the producer's ledger", ledger_wrong)
        rule.blame("label or time differ from the topic's first record", fields_wrong)
        return rule

    def stored_or_refused(self) -> Rule:
        rule = Rule(5, "no record is both stored and refused")
        both = [d.id for d in self.stored.values() if (d.partition, d.offset) in self.unresolved]
        rule.blame("both", both)
        if self.unresolved:
            causes = Counter(self.refused_places[place].cause for place in self.unresolved)
            rule.notes.append("refused: " + ", ".join(f"{n} {cause}" for cause, n in sorted(causes.items())))
        return rule

    def nothing_left_to_read(self) -> Rule:
        rule = Rule(6, "every group has read everything")
        for group in ("images", "inference", "inferences"):
            if lag := self.evidence.lag(group):
                rule.pending.append(f"{group}: {lag} unread")
        if lag := self.evidence.stream_lag():
            rule.pending.append(f"Spark stream: {lag} uncounted")
        return rule

    def one_inference_an_image(self) -> Rule:
        rule = Rule(7, "every image has exactly one inference of the model")
        documents = {d.id: d for d in self.evidence.stored_inferences if d.model == self.evidence.model}
        lost: list[str] = []
        waiting: list[str] = []
        unstored: list[str] = []
        unstored_yet: list[str] = []
        differ: list[str] = []
        for image_id, records in self.sent.items():
            if image_id in self.inferred or image_id in documents:
                continue
            done = self.committed("inference", records[0].partition, records[0].offset)
            (lost if done else waiting).append(image_id)
        for image_id, record in self.inferred.items():
            document = documents.get(image_id)
            if document is None:
                if (record.partition, record.offset) in self.refused_inferences:
                    continue
                done = self.committed("inferences", record.partition, record.offset)
                (unstored if done else unstored_yet).append(image_id)
            elif (document.image_prediction, document.actual_value, document.inferred_at) != (
                record.image_prediction,
                record.actual_value,
                record.inferred_at,
            ):
                differ.append(image_id)
        mislabelled = [i for i, r in self.inferred.items() if i in self.sent and self.sent[i][0].actual_value != r.actual_value]
        keys = Counter(d.key for d in self.evidence.stored_inferences)
        begin = self.evidence.topics[self.evidence.images_topic].begin
        if not any(begin.values()):  # where retention has deleted images, their inferences are older than the topic
            rule.blame("inferences of images that were never sent", sorted(self.inferred.keys() - self.sent.keys()))
        begin = self.evidence.topics[self.evidence.inferences_topic].begin
        rule.blame(
            "stored, but not in the topic",
            [i for i, d in documents.items() if i not in self.inferred and d.offset >= begin.get(d.partition, 0)],
        )
        rule.blame("committed by inference, but no inference", lost)
        rule.blame("inference committed, but not stored", unstored)
        rule.blame("stored inference is not the first in the log", differ)
        rule.blame("inference carries another label than the image", mislabelled)
        rule.blame("several documents of an inference", [k for k, n in keys.items() if n > 1])
        rule.blame("key is not <id>/<model>", [d.key for d in self.evidence.stored_inferences if d.key != f"{d.id}/{d.model}"])
        rule.wait_for("not yet classified", waiting)
        rule.wait_for("inferences not yet stored", unstored_yet)
        return rule

    def recount(self, offsets: Offsets | None = None) -> dict[int, Totals]:
        """Count the log of the inferences, up to these offsets; what retention deleted comes from the database."""
        begin = self.evidence.topics[self.evidence.inferences_topic].begin
        old = [
            Inference(*_split(d.id), d.model, d.image_prediction, d.actual_value)
            for d in in_log_order(self.evidence.stored_inferences)
            if d.offset < begin.get(d.partition, 0)
        ]
        log = [
            Inference(r.producer_id, r.run, r.sequence, r.model, r.image_prediction, r.actual_value)
            for r in in_log_order(self.evidence.inferences)
            if offsets is None or r.offset < offsets.get(r.partition, 0)
        ]
        return count(old + log, self.evidence.model)

    def counts_agree(self) -> Rule:
        rule = Rule(8, "stream == batch == recount")
        everything = self.recount()
        counts_at: dict[tuple[tuple[int, int], ...], dict[int, Totals]] = {}
        stream = {r.producer_id: r for r in self.evidence.stream}
        for result in stream.values():
            if result.model != self.evidence.model:
                rule.broken.append(f"stream counts the model {result.model}, not {self.evidence.model}: rebuild it")
                continue
            offsets = result.offsets or {}
            at = tuple(sorted(offsets.items()))
            if at not in counts_at:
                counts_at[at] = self.recount(offsets)
            _compare(rule, f"stream of {result.producer_id}", result.total, result.incorrect, counts_at[at].get(result.producer_id))
        floor = _floor([r.offsets or {} for r in stream.values()])
        for producer_id in self.recount(floor).keys() - stream.keys():
            rule.broken.append(f"the stream has no document of {producer_id}")
        if not self.drained:
            rule.pending.append("batch: compared once everything has drained")
            return rule
        batch = {r.producer_id: r for r in self.evidence.batch}
        for producer_id in sorted(everything.keys() - stream.keys()):
            rule.broken.append(f"the stream has no document of {producer_id}")
        for producer_id in sorted(everything.keys() | batch.keys()):
            found = batch.get(producer_id)
            if found is None:
                rule.broken.append(f"the batch has no document of {producer_id}: run quartet-spark-batch.service")
            elif found.model != self.evidence.model:
                rule.broken.append(f"batch counts the model {found.model}, not {self.evidence.model}")
            else:
                _compare(rule, f"batch of {producer_id}", found.total, found.incorrect, everything.get(producer_id))
        rule.broken = list(dict.fromkeys(rule.broken))
        return rule

    def rows(self) -> list[ProducerRow]:
        rows: dict[int, ProducerRow] = {}

        def row(producer_id: int) -> ProducerRow:
            return rows.setdefault(producer_id, ProducerRow(producer_id))

        for ledger in self.ledgers.values():
            row(ledger.producer_id).acknowledged += len(ledger.acknowledged)
        for records in self.sent.values():
            row(records[0].producer_id).sent += 1
        for document in self.stored.values():
            row(document.producer_id).stored += 1
        for image_id, letter in self.refused_ids.items():
            if (letter.partition, letter.offset) in self.unresolved:
                row(_split(image_id)[0]).refused += 1
        for inference in self.inferred.values():
            row(inference.producer_id).inferred += 1
        for image_id in self.stored.keys() - self.inferred.keys():
            row(self.stored[image_id].producer_id).pending += 1
        for producer_id, totals in self.recount().items():
            row(producer_id).recount_total, row(producer_id).recount_incorrect = totals
        for result in self.evidence.batch:
            row(result.producer_id).batch_total = result.total
            row(result.producer_id).batch_incorrect = result.incorrect
        for result in self.evidence.stream:
            row(result.producer_id).stream_total = result.total
            row(result.producer_id).stream_incorrect = result.incorrect
        return [rows[producer_id] for producer_id in sorted(rows)]


def table(verdict: Verdict) -> str:
    """Return the verdict as text: the counts of each producer, then the rules."""
    heads = ["producer", "sent", "stored", "inferred", "pending", "refused", "batch", "stream", "recount", "accuracy"]
    lines = [heads]
    for row in verdict.producers:
        right = row.recount_total - row.recount_incorrect
        lines.append(
            [
                str(row.producer_id),
                *(f"{n:,}" for n in (row.sent, row.stored, row.inferred, row.pending, row.refused)),
                _share(row.batch_incorrect, row.batch_total),
                _share(row.stream_incorrect, row.stream_total),
                _share(row.recount_incorrect, row.recount_total),
                f"{right / row.recount_total:.3f}" if row.recount_total else "-",
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    text = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    text += ["batch, stream, recount: wrong / counted images", ""]
    marks = {State.HOLDS: "ok", State.PENDING: "..", State.BROKEN: "BROKEN"}
    for rule in verdict.rules:
        text.append(f"{marks[rule.state]:>6}  {rule.number} {rule.title}")
        text += [f"          {line}" for line in [*rule.broken, *rule.pending, *rule.notes]]
    text.append("")
    if verdict.broken:
        text.append(f"verify: broken: {', '.join(str(rule.number) for rule in verdict.broken)}")
    else:
        text.append("verify: everything holds" + ("" if verdict.drained else " so far; not everything has arrived yet"))
    return "\n".join(text)


def _compare(rule: Rule, what: str, total: int, incorrect: int, expected: Totals | None) -> None:
    expected = expected or Totals()
    if (total, incorrect) != expected:
        rule.broken.append(f"{what}: {incorrect} of {total} wrong, the recount says {expected.incorrect} of {expected.total}")


def _floor(several: Sequence[Offsets]) -> Offsets:
    if not several:
        return {}
    return {p: min(offsets.get(p, 0) for offsets in several) for p in several[0]}


def _named(what: str, ones: Iterable[object]) -> str:
    names = sorted(str(one) for one in ones)
    return f"{what}: {len(names)} ({_some(names)})" if names else ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:EXAMPLES]) + (", ..." if len(names) > EXAMPLES else "")


def _share(incorrect: int | None, total: int | None) -> str:
    return "-" if incorrect is None or total is None else f"{incorrect:,} / {total:,}"


def _split(image_id: str) -> tuple[int, str, int]:
    return parse_id(image_id)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet verify`."""
    parser.add_argument("--config", required=True, metavar="FILE", help="the auditor's settings (JSON)")
    parser.add_argument("--ledgers", required=True, metavar="FILE", help="what `quartet ledger export` printed")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")


def run(arguments: argparse.Namespace) -> int:
    """Collect, judge, show the table and write the JSON."""
    options = settings.load(settings.AuditorSettings, arguments.config)
    ledgers = reader.read_ledgers(arguments.ledgers)
    with reader.reachable():
        verdict = judge(reader.Auditor(options).collect(), ledgers)
    if arguments.json is not None:
        Path(arguments.json).write_text(json.dumps(verdict.as_json(), indent=1), encoding="utf-8")
    print(table(verdict))
    return ExitCode.FAILED if verdict.broken else ExitCode.OK
