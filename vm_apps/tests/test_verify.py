"""Each rule, on a run without violations and on the same run modified in one place."""

import json
from dataclasses import replace

import pytest
from pipeline_evidence import MODEL, added_end, dead_letter, good_run, image, image_id, judge, ledgers, stored_image, without
from quartet.audit import verify
from quartet.audit.evidence import Result, TopicRange
from quartet.audit.rule import State
from quartet.counting.totals import Totals

LOST = image_id(101, 3)


def broken(evidence, promised=None):
    return [rule.number for rule in judge(evidence, ledgers() if promised is None else promised).broken]


def texts(evidence, promised=None):
    verdict = judge(evidence, ledgers() if promised is None else promised)
    return [line for rule in verdict.rules for line in rule.broken]


def change(records, record_id, **fields):
    return [replace(record, **fields) if record.id == record_id else record for record in records]


def test_a_good_run_holds():
    verdict = judge(good_run(), ledgers())
    assert verdict.drained
    assert [rule.state for rule in verdict.rules] == [State.HOLDS] * 8
    row = verdict.producers[1]
    assert (row.producer_id, row.sent, row.stored, row.inferred, row.pending, row.refused) == (102, 6, 6, 6, 0, 0)
    assert (row.recount_incorrect, row.batch_incorrect, row.stream_incorrect) == (3, 3, 3)
    text = verify.table(verdict)
    assert "verify: everything holds" in text
    assert "3 / 6" in text
    assert json.loads(json.dumps(verdict.as_json()))["holds"]


def test_a_run_without_ledgers_is_judged_by_the_topic():
    assert broken(good_run(), []) == []
    assert broken(replace(good_run(), stored_images=without(good_run().stored_images, LOST)), []) == [1]


def test_rule_1_a_committed_image_that_is_not_stored_is_lost():
    good = good_run()
    assert broken(replace(good, stored_images=without(good.stored_images, LOST))) == [1]
    assert LOST in texts(replace(good, stored_images=without(good.stored_images, LOST)))[0]


def test_rule_1_an_image_that_is_not_read_yet_is_pending():
    good = good_run()
    evidence = replace(
        good,
        stored_images=[d for d in good.stored_images if d.partition == 0],
        committed={**good.committed, "images": {0: 6}},
    )
    assert broken(evidence) == []
    verdict = judge(evidence, ledgers())
    assert not verdict.drained
    assert verdict.rules[0].state is State.PENDING
    assert "so far" in verify.table(verdict)


def test_rule_1_an_acknowledged_image_that_is_not_in_kafka_is_lost():
    good = good_run()
    evidence = replace(
        good,
        images=without(good.images, LOST),
        stored_images=without(good.stored_images, LOST),
        inferences=without(good.inferences, LOST),
        stored_inferences=without(good.stored_inferences, LOST),
        batch=[Result(101, 5, 0, MODEL, 1), good.batch[1]],
        stream=[replace(good.stream[0], total=5), good.stream[1]],
    )
    assert broken(evidence) == [1]


def test_rule_1_a_refused_image_is_not_lost():
    good = good_run()
    record = next(r for r in good.images if r.id == LOST)
    evidence = replace(good, stored_images=without(good.stored_images, LOST), dead_letters=[dead_letter(record)])
    assert broken(evidence) == []
    row = judge(evidence, ledgers()).producers[0]
    assert (row.stored, row.refused) == (5, 1)


def test_rule_1_a_bad_record_must_be_in_the_dead_letters():
    good = good_run()
    evidence = replace(good, refused_images=frozenset({(0, 6)}), topics=added_end(good, "images", 0))
    assert broken(evidence) == []
    done = {**good.committed, "images": {0: 7, 1: 6}, "inference": {0: 7, 1: 6}}
    assert broken(replace(evidence, committed=done)) == [1]


def test_rule_2_a_document_that_was_never_sent_is_invented():
    good = good_run()
    ghost = stored_image(image(101, 3, 0, 3))
    ghost = replace(ghost, id="101-b-000000000003", run="b")
    assert broken(replace(good, stored_images=[*good.stored_images, ghost])) == [2]


def test_rule_2_beyond_the_mark_of_a_finished_producer():
    short = [replace(ledger, high_water=5, finished=5) for ledger in ledgers()]
    assert broken(good_run(), short) == [2]
    going_on = [replace(ledger, finished=None) for ledger in short]
    assert broken(good_run(), going_on) == []


def test_rule_2_what_retention_deleted_was_sent():
    good = good_run()
    kept = [r for r in good.images if r.offset >= 2]
    late = TopicRange({0: 2, 1: 2}, good.topics["images"].end)
    assert broken(replace(good, images=kept, topics={**good.topics, "images": late})) == []


def test_rule_3_other_bytes_under_the_same_id():
    good = good_run()
    second = replace(image(101, 3, 1, 6), digest=b"x" * 32)
    evidence = replace(good, images=[*good.images, second], topics=added_end(good, "images", 1))
    assert broken(evidence) == [], "not read yet"
    done = {**good.committed, "images": {0: 6, 1: 7}}
    assert broken(replace(evidence, committed=done)) == [3]
    conflict = [dead_letter(second, "id-conflict")]
    assert broken(replace(evidence, committed=done, dead_letters=conflict)) == []


def test_rule_3_an_id_that_its_fields_do_not_make():
    good = good_run()
    assert 3 in broken(replace(good, stored_images=change(good.stored_images, LOST, producer_id=102)))


@pytest.mark.parametrize("fields", [{"digest": b"x" * 32}, {"payload_sha256": "00"}, {"actual_value": "dog"}, {"captured_at": 1}])
def test_rule_4_stored_is_not_sent(fields):
    good = good_run()
    assert broken(replace(good, stored_images=change(good.stored_images, LOST, **fields))) == [4]


def test_rule_4_the_ledger_knows_the_bytes():
    promised = ledgers()
    promised[0] = replace(promised[0], digests=b"x" * 32 * 6)
    assert broken(good_run(), promised) == [4]


def test_rule_5_stored_and_refused():
    good = good_run()
    record = next(r for r in good.images if r.id == LOST)
    assert broken(replace(good, dead_letters=[dead_letter(record)])) == [5]


def test_rule_5_a_refused_image_that_was_sent_again_is_resolved():
    good = good_run()
    again = image(101, 3, 1, 6)
    first = next(r for r in good.images if r.id == LOST)
    evidence = replace(
        good,
        images=[*good.images, again],
        topics=added_end(good, "images", 1),
        committed={**good.committed, "images": {0: 6, 1: 7}, "inference": {0: 6, 1: 7}},
        stored_images=[*without(good.stored_images, LOST), stored_image(again)],
        dead_letters=[dead_letter(first)],
    )
    assert broken(evidence) == []
    assert judge(evidence, ledgers()).producers[0].refused == 0


def test_rule_7_no_inference():
    good = good_run()
    assert broken(replace(good, inferences=without(good.inferences, LOST), stored_inferences=without(good.stored_inferences, LOST))) == [
        7,
        8,
    ]
    late = replace(good, stored_inferences=without(good.stored_inferences, LOST))
    assert broken(late) == [7]
    assert broken(replace(late, committed={**good.committed, "inferences": {0: 6, 1: 0}})) == []


def test_rule_7_the_first_in_the_log_is_stored():
    good = good_run()
    changed = change(good.stored_inferences, LOST, image_prediction="ship")
    assert broken(replace(good, stored_inferences=changed)) == [7]


def test_rule_7_duplicates_in_the_log_are_harmless():
    good = good_run()
    again = [replace(r, image_prediction="ship", inferred_at=9, offset=r.offset + 6) for r in good.inferences]
    ends = {0: 12, 1: 12}
    evidence = replace(
        good,
        inferences=[*good.inferences, *again],
        topics={**good.topics, "inferences": TopicRange({0: 0, 1: 0}, ends)},
        committed={**good.committed, "inferences": ends},
        stream=[replace(r, offsets=ends) for r in good.stream],
    )
    assert broken(evidence) == []
    assert judge(evidence, ledgers()).drained


def test_rule_7_an_invented_inference_and_a_wrong_key():
    good = good_run()
    ghost = replace(good.inferences[0], id="101-b-000000000000", run="b", offset=6)
    evidence = replace(good, inferences=[*good.inferences, ghost], topics=added_end(good, "inferences", 0))
    assert broken(evidence) == [7]
    assert broken(replace(good, stored_inferences=change(good.stored_inferences, LOST, key="x"))) == [7]


def test_rule_7_a_stored_inference_that_is_not_in_the_topic():
    good = good_run()
    ghost = replace(good.stored_inferences[0], id="101-b-000000000000", key=f"101-b-000000000000/{MODEL}", offset=6)
    assert broken(replace(good, stored_inferences=[*good.stored_inferences, ghost])) == [7]


def test_rule_8_stream_and_batch():
    good = good_run()
    assert broken(replace(good, stream=[replace(good.stream[0], incorrect=1), good.stream[1]])) == [8]
    assert broken(replace(good, stream=good.stream[:1])) == [8]
    assert broken(replace(good, batch=[replace(good.batch[0], total=7), good.batch[1]])) == [8]
    assert broken(replace(good, batch=good.batch[:1])) == [8]
    assert broken(replace(good, batch=[*good.batch, Result(103, 1, 1, MODEL, 1)])) == [8]
    assert "model" in texts(replace(good, batch=[replace(good.batch[0], model="ffffffffffff"), good.batch[1]]))[0]
    assert "rebuild" in texts(replace(good, stream=[replace(good.stream[0], model="ffffffffffff"), good.stream[1]]))[0]


def test_rule_8_the_stream_is_compared_at_its_own_offsets_and_the_batch_only_when_drained():
    good = good_run()
    early = {0: 2, 1: 2}  # sequences 0..3 of producer 101
    evidence = replace(good, stream=[Result(101, 4, 0, MODEL, 1, early)], batch=[])
    verdict = judge(evidence, ledgers())
    assert verdict.broken == []
    assert not verdict.drained
    assert verdict.rules[7].state is State.PENDING
    wrong = replace(evidence, stream=[Result(101, 5, 0, MODEL, 1, early)])
    assert "stream of 101: 0 of 5 wrong, the recount says 0 of 4" in texts(wrong)


def test_rule_8_what_retention_deleted_is_counted_from_the_database():
    good = good_run()
    evidence = replace(
        good,
        inferences=[r for r in good.inferences if r.offset >= 2],
        topics={**good.topics, "inferences": TopicRange({0: 2, 1: 2}, good.topics["inferences"].end)},
    )
    assert broken(evidence) == []


def test_the_lag_ignores_what_was_deleted():
    good = good_run()
    assert good.lags()["images"] == good.lags()["Spark stream"] == 0
    fresh = replace(good, committed={}, stream=[], topics={**good.topics, "images": TopicRange({0: 4, 1: 6}, {0: 6, 1: 6})})
    assert fresh.lags()["images"] == 2
    assert fresh.lags()["inferences"] == fresh.lags()["Spark stream"] == 12


def test_figures():
    figures = judge(good_run(), ledgers()).figures
    cat, dog = figures["labels"].index("cat"), figures["labels"].index("dog")
    assert figures["confusion"]["all"][cat][cat] == 9
    assert figures["confusion"]["102"][cat][dog] == 3
    (run,) = figures["runs"]
    assert (run["run"], run["images"]) == ("a", 12)
    assert run["captured_to_inferred"] == {"n": 12, "p50_ms": 30.0, "p95_ms": 30.0, "max_ms": 30.0}
    assert run["captured_to_stored"]["p50_ms"] == 20.0
    assert run["produced_per_second"] == pytest.approx(11 / 5)


def test_the_recount_is_the_count():
    expected = {101: Totals(6, 0), 102: Totals(6, 3)}
    rows = judge(good_run(), ledgers()).producers
    assert {r.producer_id: Totals(r.recount_total, r.recount_incorrect) for r in rows} == expected
