"""What a log has lost after it was read is named as that, where a ledger or a commit proves it, and is not taken for invented."""

from dataclasses import replace

from pipeline_evidence import dead_letter, good_run, image, judge, ledgers
from quartet.audit.evidence import LogCut, TopicRange


def broken(evidence, promised):
    return [rule.number for rule in judge(evidence, promised).broken]


def notes(verdict):
    return [line for rule in verdict.rules for line in rule.notes]


def cut_run(topic, partition, first):
    """A good run after which the end of a partition's log was lost."""
    good = good_run()
    kept = {p: first if p == partition else end for p, end in good.topics[topic].end.items()}
    records = [r for r in getattr(good, topic) if (r.partition, r.offset) < (partition, first) or r.partition > partition]
    return replace(good, topics={**good.topics, topic: TopicRange(good.topics[topic].begin, kept)}, **{topic: records})


def test_rules_2_and_7_images_that_were_stored_before_their_log_was_cut_are_not_invented():
    evidence = cut_run("images", 1, 4)
    verdict = judge(evidence, ledgers())
    assert verdict.broken == []
    (line,) = notes(verdict)
    assert line.startswith(
        "sent and stored, but lost by the log of images/1 from offset 4 on (cut, as by a power loss, or a new topic): 2 (102-"
    )
    assert set(broken(evidence, [])) == {2, 7}, "neither a ledger nor a commit says that they were sent"
    known = replace(evidence, log_cuts=[LogCut("images", 1, 4, 6)])
    assert set(broken(known, [])) == set()
    for other in (LogCut("images", 0, 4, 6), LogCut("images", 1, 5, 6), LogCut("inferences", 1, 4, 6)):
        assert 2 in broken(replace(evidence, log_cuts=[other]), [])


def test_rule_2_a_refused_record_that_the_log_lost():
    evidence = cut_run("images", 1, 4)
    lost = replace(image(102, 3, 1, 6), id="102-b-000000000003")
    evidence = replace(evidence, dead_letters=[dead_letter(lost)])
    assert broken(evidence, ledgers()) == [2]
    assert broken(replace(evidence, log_cuts=[LogCut("images", 1, 4, 7)]), ledgers()) == []


def test_rules_7_and_8_inferences_that_were_stored_before_their_log_was_cut_are_counted():
    evidence = cut_run("inferences", 1, 4)
    assert set(broken(evidence, ledgers())) == {7, 8}
    verdict = judge(replace(evidence, log_cuts=[LogCut("inferences", 1, 4, 6)]), ledgers())
    assert verdict.broken == []
    assert [line.partition(" (")[0] for line in notes(verdict)] == ["stored, but lost by the log of inferences/1 from offset 4 on"]
