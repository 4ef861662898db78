"""The worker and the DB consumer's strategy, killed and disconnected at every point: nothing lost or duplicated, invalid records refused."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from consumer_pipeline import Pipeline, image
from memory_broker import Crash, MemorySource, Rebalance, away
from quartet.contracts.causes import Cause
from quartet.contracts.image import IMAGE_BYTES, Image
from quartet.db_consumer.documents import ImageDocuments, InferenceDocuments
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.records import Partition, Record

CORPUS = json.loads((Path(__file__).parent / "corpus/records.json").read_text())
POINTS = ["poll", "before write", "half written", "after write", "before commit", "after commit", "acknowledgement"]


def stored_payloads(pipeline: Pipeline) -> dict[str, bytes]:
    return {key: bytes(document["image"]) for key, document in pipeline.store.documents.items()}


def sent_payloads(count: int) -> dict[str, bytes]:
    return {image(sequence).id: image(sequence).payload for sequence in range(count)}


def test_every_image_is_one_document_with_the_bytes_that_were_sent() -> None:
    pipeline = Pipeline()
    for sequence in range(50):
        pipeline.send(image(sequence))
    assert pipeline.run() is ExitCode.OK
    assert stored_payloads(pipeline) == sent_payloads(50)
    document = pipeline.store.documents["101-first-000000000004"]
    assert document["kafka"] == {"topic": "images", "topic_id": "a-topic-id", "partition": 1, "offset": 1}
    assert not pipeline.dead_letters.sent


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("fault", [Crash, away], ids=["killed", "cut off"])
def test_a_fault_at_any_point_loses_nothing_and_doubles_nothing(point: str, fault: Any) -> None:
    pipeline = Pipeline()
    for sequence in range(40):
        pipeline.send(image(sequence))
    pipeline.topic.append(0, b"bad", b"poison", [])
    pipeline.faults.at(point, fault(), fault())
    pipeline.run_until_done()
    assert stored_payloads(pipeline) == sent_payloads(40)
    assert {(letter.topic, letter.partition, letter.offset) for letter in pipeline.letters()} == {("images", 0, 14)}


@pytest.mark.parametrize("seed", range(20))
def test_random_kills_and_outages(seed: int) -> None:
    chance = random.Random(seed)
    pipeline = Pipeline()
    for sequence in range(60):
        pipeline.send(image(sequence))
        if chance.random() < 0.3:
            pipeline.send(image(chance.randrange(sequence + 1)))
    for _ in range(12):
        pipeline.faults.at(chance.choice(POINTS), Crash() if chance.random() < 0.5 else away())
    pipeline.run_until_done()
    assert stored_payloads(pipeline) == sent_payloads(60)
    assert not pipeline.dead_letters.sent


def test_rebalances_under_work_lose_nothing_and_commit_everything() -> None:
    pipeline = Pipeline()
    for sequence in range(60):
        pipeline.send(image(sequence))
    pipeline.faults.at("rebalance", *(Rebalance() for _ in range(4)))
    assert pipeline.run() is ExitCode.OK
    assert stored_payloads(pipeline) == sent_payloads(60)
    assert pipeline.topic.is_drained()


def test_a_rebalance_while_a_batch_is_gathered_commits_nothing_that_was_discarded() -> None:
    pipeline = Pipeline(partitions=1)
    for sequence in range(18):
        pipeline.send(image(sequence))
    commits: list[int] = []

    class Slow(MemorySource):
        """Returns 4 records per poll; a rebalance occurs at the fifth poll, with one batch pending and 4 records not yet in a batch."""

        polls = 0

        def poll(self, seconds: float, max_records: int) -> list[Record]:
            self.polls += 1
            if self.polls == 5:
                pipeline.faults.at("rebalance", Rebalance())
            return super().poll(seconds, min(max_records, 4))

        def commit(self, offsets: Mapping[Partition, int]) -> None:
            commits.extend(offsets.values())
            super().commit(offsets)

    assert pipeline.run(batch_seconds=1, source=Slow) is ExitCode.OK
    assert stored_payloads(pipeline) == sent_payloads(18)
    assert commits == sorted(commits)


def test_a_single_record_is_stored_at_once_and_after_a_batch_more_are_waited_for() -> None:
    pipeline = Pipeline(partitions=1)
    waits: list[float] = []

    class Noting(MemorySource):
        def poll(self, seconds: float, max_records: int) -> list[Record]:
            waits.append(seconds)
            return super().poll(seconds, min(max_records, 3))

    pipeline.send(image(0))
    pipeline.run(batch_seconds=9, source=Noting)
    assert max(waits) < 1
    for sequence in range(1, 8):
        pipeline.send(image(sequence))
    waits.clear()
    pipeline.run(batch_seconds=9, source=Noting)
    assert stored_payloads(pipeline) == sent_payloads(8)
    assert any(seconds > 8 for seconds in waits)


def test_polling_goes_on_while_the_database_is_away() -> None:
    pipeline = Pipeline()
    pipeline.send(image(0))
    pipeline.faults.at("before write", *(away() for _ in range(4)))
    pipeline.run()
    assert pipeline.source is not None and pipeline.source.polls_while_paused > 4
    assert pipeline.host is not None and any("paused, nothing is lost: mongodb: away" in line for line in pipeline.host.lines)


def test_the_first_record_of_an_id_wins_and_another_image_is_a_conflict() -> None:
    pipeline = Pipeline(partitions=1)
    pipeline.send(image(1))
    pipeline.send(image(1))
    pipeline.send(image(1, fill=9))
    pipeline.run()
    pipeline.send(image(1, fill=9))
    pipeline.run()
    assert stored_payloads(pipeline) == {image(1).id: image(1).payload}
    assert [(letter.offset, letter.cause) for letter in pipeline.letters()] == [(2, Cause.ID_CONFLICT), (3, Cause.ID_CONFLICT)]
    assert pipeline.letters()[0].value == image(1, fill=9).payload


@pytest.mark.parametrize("topic", ["images", "inferences"])
def test_every_poison_of_the_corpus_is_set_aside_once_and_its_neighbours_are_stored(topic: str) -> None:
    rows = [row for row in CORPUS if row["topic"] == topic]
    pipeline = Pipeline(ImageDocuments() if topic == "images" else InferenceDocuments())
    for row in rows:
        key, value = (None if row[name] is None else base64.b64decode(row[name]) for name in ("key", "value"))
        headers = [(name, None if content is None else base64.b64decode(content)) for name, content in row["headers"]]
        pipeline.topic.append(0, key, value, headers)
    assert pipeline.run() is ExitCode.OK
    refused = {letter.offset: letter.cause.value for letter in pipeline.letters()}
    assert refused == {offset: row["cause"] for offset, row in enumerate(rows) if not row["valid"]}
    assert len(pipeline.letters()) == len(refused)
    assert pipeline.store.documents


def test_a_document_that_the_database_refuses_goes_to_the_dead_letters() -> None:
    pipeline = Pipeline()
    pipeline.store.refuse = lambda document: "121: no" if document["sequence"] == 3 else None
    for sequence in range(10):
        pipeline.send(image(sequence))
    pipeline.run()
    assert [letter.cause for letter in pipeline.letters()] == [Cause.DATABASE_REJECTED]
    assert len(pipeline.store.documents) == 9


def test_a_database_that_refuses_everything_stops_the_unit_before_the_topic_is_drained() -> None:
    pipeline = Pipeline()
    pipeline.store.refuse = lambda document: "121: no"
    for sequence in range(100):
        pipeline.send(image(sequence))
    with pytest.raises(QuartetError) as stopped:
        pipeline.run(limit=20)
    assert stopped.value.code is ExitCode.REJECTED
    assert len(pipeline.letters()) <= 20
    assert not pipeline.topic.is_drained()


def test_a_record_whose_first_was_refused_takes_its_place() -> None:
    pipeline = Pipeline(partitions=1)
    pipeline.store.refuse = lambda document: "121: no" if document["image"] == image(1).payload else None
    pipeline.send(image(1))
    pipeline.send(image(1, fill=9))
    pipeline.send(image(1, fill=9))
    pipeline.run()
    assert stored_payloads(pipeline) == {image(1).id: image(1, fill=9).payload}
    assert [(letter.offset, letter.cause) for letter in pipeline.letters()] == [(0, Cause.DATABASE_REJECTED)]


def test_no_dead_letter_is_written_while_the_database_is_away() -> None:
    pipeline = Pipeline()
    pipeline.send(image(0))
    pipeline.topic.append(0, b"bad", b"poison", [])
    pipeline.faults.at("before write", *(away() for _ in range(4)))
    pipeline.run()
    assert len(pipeline.letters()) == 1


def test_an_unlabelled_image_is_stored_without_a_label() -> None:
    pipeline = Pipeline()
    pipeline.send(Image(producer_id=5, run="x", sequence=0, actual_value=None, captured_at=1, payload=bytes(IMAGE_BYTES)))
    pipeline.run()
    assert "actual_value" not in pipeline.store.documents["5-x-000000000000"]
