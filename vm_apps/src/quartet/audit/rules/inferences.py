"""Rule 7: every image has one inference, and the stored one is the first in the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from quartet.audit.evidence import Evidence, InferenceRecord, StoredInference, place
from quartet.audit.rules.rule import Rule
from quartet.audit.sent_images import SentImages


def one_inference_per_image(evidence: Evidence, sent: SentImages, inferred: Mapping[str, InferenceRecord]) -> Rule:
    """Judge rule 7. `inferred`: the first inference of the model by image id."""
    rule = Rule(7, "every image has exactly one inference of the model")
    documents = {d.id: d for d in evidence.stored_inferences if d.model == evidence.model}
    lost: list[str] = []
    waiting: list[str] = []
    for image_id in sent.ids() - inferred.keys() - documents.keys():
        (lost if evidence.has_committed("inference", place(sent.first(image_id))) else waiting).append(image_id)
    unstored: list[str] = []
    unstored_yet: list[str] = []
    refused = {place(letter) for letter in evidence.dead_letters_of(evidence.inferences_topic)}
    for image_id in inferred.keys() - documents.keys():
        at = place(inferred[image_id])
        if at not in refused:
            (unstored if evidence.has_committed("inferences", at) else unstored_yet).append(image_id)
    mislabelled = [i for i, r in inferred.items() if i in sent and sent.first(i).actual_value != r.actual_value]
    keys = Counter(d.key for d in evidence.stored_inferences)
    if not any(evidence.topics[evidence.images_topic].begin.values()):
        # where retention has deleted images, inferences may be older than the remaining images
        rule.add_violations("inferences of images that were never sent", sorted(inferred.keys() - sent.ids()))
    begin = evidence.topics[evidence.inferences_topic].begin
    rule.add_violations(
        "stored, but not in the topic",
        [i for i, d in documents.items() if i not in inferred and d.offset >= begin.get(d.partition, 0)],
    )
    rule.add_violations("committed by inference, but no inference", lost)
    rule.add_violations("inference committed, but not stored", unstored)
    rule.add_violations("stored inference is not the first in the log", _differing(inferred, documents))
    rule.add_violations("inference carries another label than the image", mislabelled)
    rule.add_violations("several documents of an inference", [k for k, n in keys.items() if n > 1])
    rule.add_violations("key is not <id>/<model>", [d.key for d in evidence.stored_inferences if d.key != f"{d.id}/{d.model}"])
    rule.add_pending("not yet classified", waiting)
    rule.add_pending("inferences not yet stored", unstored_yet)
    return rule


def _differing(inferred: Mapping[str, InferenceRecord], documents: Mapping[str, StoredInference]) -> list[str]:
    """Return the ids whose document differs from the first record in the log."""
    return [
        image_id
        for image_id, record in inferred.items()
        if (document := documents.get(image_id)) is not None
        and (document.image_prediction, document.actual_value, document.inferred_at)
        != (record.image_prediction, record.actual_value, record.inferred_at)
    ]
