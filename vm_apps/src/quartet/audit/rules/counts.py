"""Rule 8: the stream, the batch and the recount give the same numbers."""

from __future__ import annotations

from collections.abc import Sequence

from quartet.audit.evidence import Evidence, Offsets, in_log_order
from quartet.audit.rules.rule import Rule
from quartet.contracts.ids import parse_id
from quartet.counting.totals import Inference, Totals, count


def recount(evidence: Evidence, offsets: Offsets | None = None) -> dict[int, Totals]:
    """Count the inferences in the log up to these offsets (None: all); deleted records are taken from the database."""
    begin = evidence.topics[evidence.inferences_topic].begin
    old = [
        Inference(*parse_id(d.id), d.model, d.image_prediction, d.actual_value)
        for d in in_log_order(evidence.stored_inferences)
        if d.offset < begin.get(d.partition, 0)
    ]
    log = [
        Inference(r.producer_id, r.run, r.sequence, r.model, r.image_prediction, r.actual_value)
        for r in in_log_order(evidence.inferences)
        if offsets is None or r.offset < offsets.get(r.partition, 0)
    ]
    return count(old + log, evidence.model)


def counts_agree(evidence: Evidence) -> Rule:
    """Judge rule 8: the stream at its own offsets, the batch once everything has drained."""
    rule = Rule(8, "stream == batch == recount")
    everything = recount(evidence)
    counts_at: dict[tuple[tuple[int, int], ...], dict[int, Totals]] = {}
    stream = {r.producer_id: r for r in evidence.stream}
    for result in stream.values():
        if result.model != evidence.model:
            rule.broken.append(f"stream counts the model {result.model}, not {evidence.model}: rebuild it")
            continue
        offsets = result.offsets or {}
        at = tuple(sorted(offsets.items()))
        if at not in counts_at:
            counts_at[at] = recount(evidence, offsets)
        _compare(rule, f"stream of {result.producer_id}", result.total, result.incorrect, counts_at[at].get(result.producer_id))
    floor = _floor([r.offsets or {} for r in stream.values()])
    for producer_id in recount(evidence, floor).keys() - stream.keys():
        rule.broken.append(f"the stream has no document of {producer_id}")
    if not evidence.drained:
        rule.pending.append("batch: compared once everything has drained")
        return rule
    batch = {r.producer_id: r for r in evidence.batch}
    for producer_id in sorted(everything.keys() - stream.keys()):
        rule.broken.append(f"the stream has no document of {producer_id}")
    for producer_id in sorted(everything.keys() | batch.keys()):
        found = batch.get(producer_id)
        if found is None:
            rule.broken.append(f"the batch has no document of {producer_id}: run quartet-spark-batch.service")
        elif found.model != evidence.model:
            rule.broken.append(f"batch counts the model {found.model}, not {evidence.model}")
        else:
            _compare(rule, f"batch of {producer_id}", found.total, found.incorrect, everything.get(producer_id))
    rule.broken = list(dict.fromkeys(rule.broken))
    return rule


def _compare(rule: Rule, what: str, total: int, incorrect: int, expected: Totals | None) -> None:
    expected = expected or Totals()
    if (total, incorrect) != expected:
        rule.broken.append(f"{what}: {incorrect} of {total} wrong, the recount says {expected.incorrect} of {expected.total}")


def _floor(several: Sequence[Offsets]) -> Offsets:
    if not several:
        return {}
    return {p: min(offsets.get(p, 0) for offsets in several) for p in several[0]}
