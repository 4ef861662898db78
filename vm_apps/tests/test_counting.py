"""The count and its compact set, against the plain ones."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from quartet.counting.sequences import CHUNK_BITS, CountingError, SeenSequences
from quartet.counting.totals import Inference, ProducerCount, Totals, count, tally

sequences = st.one_of(st.integers(0, 300), st.integers(CHUNK_BITS - 5, CHUNK_BITS + 5), st.integers(0, 10**12 - 1))
blocks = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda b: range(b[0] * CHUNK_BITS // 2, (b[0] + b[1]) * CHUNK_BITS // 2))


@given(st.lists(sequences))
def test_the_set_behaves_like_a_set(added):
    seen, plain = SeenSequences(), set()
    for sequence in added:
        assert seen.add(sequence) == (sequence not in plain)
        plain.add(sequence)
        assert sequence in seen
    assert len(seen) == len(plain)
    assert list(seen) == sorted(plain)
    assert all((x + 1 in seen) == (x + 1 in plain) for x in plain)
    assert SeenSequences.from_bytes(seen.to_bytes()) == seen


@settings(max_examples=15)
@given(st.lists(blocks, max_size=3), st.integers(0, 9))
@example([range(0, CHUNK_BITS), range(2 * CHUNK_BITS, 3 * CHUNK_BITS), range(CHUNK_BITS, 2 * CHUNK_BITS)], 0)
def test_full_chunks_collapse(added, seed):
    plain = dict.fromkeys(sequence for block in added for sequence in block)
    order = list(plain)
    if seed:
        random.Random(seed).shuffle(order)
    seen = SeenSequences(order)
    assert list(seen) == sorted(plain)
    assert len(seen) == len(plain)
    again = SeenSequences.from_bytes(seen.to_bytes())
    assert again == seen
    assert [again.add(s) for s in order] == [False] * len(order)


def test_it_takes_at_most_about_one_bit_per_image():
    assert len(SeenSequences(range(1_000_000)).to_bytes()) < 600
    assert len(SeenSequences(range(0, 1_000_000, 2)).to_bytes()) < 1_000_000 / 8 * 1.01
    assert len(SeenSequences([0, 10**12 - 1]).to_bytes()) < 30


def test_ranges_are_maximal():
    assert list(SeenSequences([*range(5000), 5001]).ranges()) == [(0, 5000), (5001, 5002)]
    assert list(SeenSequences().ranges()) == []


@given(st.binary(max_size=80))
def test_foreign_bytes_are_refused_or_read_as_a_set(data):
    try:
        seen = SeenSequences.from_bytes(b"\x01" + data)
    except CountingError:
        return
    assert SeenSequences.from_bytes(seen.to_bytes()) == seen


@pytest.mark.parametrize("data", [b"", b"\x02\x00\x00", b"\x01", b"\x01\x00", b"\x01\x00\x00\x00", b"\x01\x00\x01\x00\x07"])
def test_damaged_state_is_refused(data):
    with pytest.raises(CountingError):
        SeenSequences.from_bytes(data)


def test_a_cut_state_is_refused():
    data = SeenSequences([*range(5000), 9000]).to_bytes()
    for end in range(len(data)):
        with pytest.raises(CountingError):
            SeenSequences.from_bytes(data[:end])


def test_negative_sequences_are_refused():
    with pytest.raises(ValueError, match="negative"):
        SeenSequences().add(-1)
    assert -1 not in SeenSequences([0])


def test_tally():
    assert tally("cat", "cat") == Totals(1, 0)
    assert tally("cat", "dog") == Totals(1, 1)
    assert tally("cat", None) == Totals(0, 0)


records = st.builds(
    Inference,
    st.sampled_from([101, 102]),
    st.sampled_from(["a", "b"]),
    st.integers(0, 6),
    st.sampled_from(["m", "n"]),
    st.sampled_from(["cat", "dog"]),
    st.sampled_from(["cat", "dog", None]),
)


@given(st.lists(records, max_size=60))
def test_the_first_record_of_an_id_and_model_counts(log):
    first = {}
    for record in log:
        if record.model == "m":
            first.setdefault((record.producer_id, record.run, record.sequence), record)
    expected = {}
    for record in first.values():
        if record.actual_value is not None:
            total, wrong = expected.get(record.producer_id, (0, 0))
            expected[record.producer_id] = (total + 1, wrong + (record.image_prediction != record.actual_value))
    assert count(log, "m") == expected
    assert count([*log, *log], "m") == expected, "a replay changes nothing"


def test_an_unlabelled_first_record_hides_a_later_labelled_one():
    log = [Inference(1, "a", 0, "m", "cat", None), Inference(1, "a", 0, "m", "cat", "dog")]
    assert count(log, "m") == {}


def test_a_producer_count_goes_on_from_its_state():
    before = ProducerCount()
    before.add("a", 0, "cat", "dog")
    after = ProducerCount(before.totals, {r: SeenSequences.from_bytes(s.to_bytes()) for r, s in before.seen.items()})
    assert not after.add("a", 0, "cat", "dog")
    assert after.add("b", 0, "cat", "cat")
    assert after.totals == Totals(2, 1)
