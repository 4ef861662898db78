"""Rules 1 to 5: an image between its producer, the topic and the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from quartet.audit.evidence import Evidence, Ledger, StoredImage, place
from quartet.audit.refusals import Refusals
from quartet.audit.rules.rule import Rule, first_few
from quartet.audit.sent_images import SentImages
from quartet.contracts.ids import image_id as id_of

Stored = Mapping[str, StoredImage]
"""The documents of images by id."""
Ledgers = Mapping[tuple[int, str], Ledger]
"""The producers' ledgers by producer and run."""


def nothing_lost(evidence: Evidence, ledgers: Ledgers, sent: SentImages, stored: Stored, refusals: Refusals) -> Rule:
    """Judge rule 1 by the producers' ledgers and the topics."""
    rule = Rule(1, "nothing acknowledged is lost: it is stored, or refused with a cause")
    arrived = stored.keys() | refusals.ids()
    acknowledged = {id_of(ledger.producer_id, ledger.run, sequence) for ledger in ledgers.values() for sequence in ledger.acknowledged}
    absent = acknowledged - arrived - sent.ids()
    lost: list[str] = []
    waiting: list[str] = []
    for image_id in sent.ids() - arrived:  # everything in the topic was acknowledged, also from other clients
        (lost if evidence.has_committed("images", place(sent.first(image_id))) else waiting).append(image_id)
    refused_inferences = {place(letter) for letter in evidence.dead_letters_of(evidence.inferences_topic)}
    for name, bad, refused in (
        ("images", evidence.refused_images, refusals.places()),
        ("inferences", evidence.refused_inferences, refused_inferences),
    ):
        lost += [f"{name} {at[0]}/{at[1]}" for at in bad - refused if evidence.has_committed(name, at)]
    rule.add_violations("acknowledged, but neither in Kafka nor stored", absent)
    rule.add_violations("read and committed, but neither stored nor refused", lost)
    rule.add_pending("not yet read", waiting)
    return rule


def nothing_invented(evidence: Evidence, ledgers: Ledgers, sent: SentImages, stored: Stored, refusals: Refusals) -> Rule:
    """Judge rule 2; records that retention has deleted from the topic may be stored."""
    rule = Rule(2, "nothing is invented: what is stored or refused was sent")
    begin = evidence.topics[evidence.images_topic].begin
    foreign, newer, beyond = [], 0, []
    for document in stored.values():
        ledger = ledgers.get((document.producer_id, document.run))
        in_topic = document.id in sent or document.offset < begin.get(document.partition, 0)
        if not in_topic:
            foreign.append(document.id)
        elif ledger is not None and document.sequence >= ledger.high_water:
            if ledger.is_finished:
                beyond.append(document.id)
            else:
                newer += 1
    rule.add_violations("stored, but not in the topic", foreign)
    rule.add_violations("stored, but beyond what the finished producer sent", beyond)
    places = refusals.places() - sent.places() - evidence.refused_images
    rule.add_violations("refused, but not in the topic", [f"{p}/{o}" for p, o in sorted(places) if o >= begin.get(p, 0)])
    if newer:
        rule.notes.append(f"{newer} stored after the ledger was read")
    without = {(d.producer_id, d.run) for d in stored.values()} - set(ledgers)
    if without:
        rule.notes.append(f"without a ledger, judged by the topic: {first_few([f'{p}-{run}' for p, run in sorted(without)])}")
    return rule


def one_document_per_id(evidence: Evidence, sent: SentImages, stored: Stored, refusals: Refusals) -> Rule:
    """Judge rule 3: another payload under an existing id must be refused."""
    rule = Rule(3, "one document per id, one payload per id")
    doubled = [i for i, n in Counter(d.id for d in evidence.stored_images).items() if n > 1]
    wrong_id = [d.id for d in stored.values() if d.id != id_of(d.producer_id, d.run, d.sequence)]
    several: list[str] = []
    not_refused: list[str] = []
    for image_id, records in sent:
        if len({r.partition for r in records}) > 1:
            several.append(image_id)
        not_refused += [
            f"{image_id} at {r.partition}/{r.offset}"
            for r in records
            if r.digest != records[0].digest and place(r) not in refusals.places() and evidence.has_committed("images", place(r))
        ]
    rule.add_violations("several documents", doubled)
    rule.add_violations("documents whose id is not made of their fields", wrong_id)
    if several:
        rule.notes.append(f"ids that a client sent to several partitions, so that their order is undefined: {first_few(several)}")
    rule.add_violations("other bytes under the same id, not refused as id-conflict", not_refused)
    return rule


def bytes_are_equal(ledgers: Ledgers, sent: SentImages, stored: Stored) -> Rule:
    """Judge rule 4 by the digests in the document, the topic and the producer's ledger."""
    rule = Rule(4, "stored bytes are the sent bytes")
    field_wrong, topic_wrong, ledger_wrong, fields_wrong = [], [], [], []
    for document in stored.values():
        if document.digest.hex() != document.payload_sha256:
            field_wrong.append(document.id)
        if firsts := sent.firsts(document.id):
            if document.digest not in [r.digest for r in firsts]:
                topic_wrong.append(document.id)
            elif (document.actual_value, document.captured_at) not in [(r.actual_value, r.captured_at) for r in firsts]:
                fields_wrong.append(document.id)
        ledger = ledgers.get((document.producer_id, document.run))
        if ledger is not None and ledger.digest(document.sequence) not in (None, document.digest):
            ledger_wrong.append(document.id)
    rule.add_violations("bytes differ from payload_sha256", field_wrong)
    rule.add_violations("bytes differ from the topic's", topic_wrong)
    rule.add_violations("bytes differ from the producer's ledger", ledger_wrong)
    rule.add_violations("label or time differ from the topic's first record", fields_wrong)
    return rule


def stored_or_refused(stored: Stored, refusals: Refusals) -> Rule:
    """Judge rule 5."""
    rule = Rule(5, "no record is both stored and refused")
    rule.add_violations("both", [d.id for d in stored.values() if place(d) in refusals.unresolved])
    if causes := refusals.causes():
        rule.notes.append("refused: " + ", ".join(f"{n} {cause}" for cause, n in sorted(causes.items())))
    return rule
