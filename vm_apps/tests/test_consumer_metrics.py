"""What a DB consumer's metrics say of each record, and of a pause."""

from __future__ import annotations

from consumer_pipeline import Pipeline, image
from memory_broker import MemorySource, away
from metric_values import growth
from metric_values import value as shown
from quartet.contracts.causes import Cause
from quartet.contracts.image import encode_image
from quartet.runtime import metrics
from quartet.runtime.errors import ExitCode
from quartet.runtime.records import Record


def test_the_outcome_of_each_record_is_counted() -> None:
    counted = {outcome: growth("quartet_records_total", app=metrics.app(), topic="images", outcome=outcome) for outcome in metrics.OUTCOMES}
    letters = growth("quartet_dead_letters_total", topic="images", cause=Cause.WRONG_LENGTH.value)
    pipeline = Pipeline()
    for sequence in (0, 1, 2, 0):
        pipeline.send(image(sequence))
    key, value, headers = encode_image(image(9))
    pipeline.topic.append(0, key, value[:-1], headers)
    assert pipeline.run() is ExitCode.OK
    assert {outcome: grown() for outcome, grown in counted.items() if grown()} == {"stored": 3, "duplicate": 1, "dead_lettered": 1}
    assert letters() == 1


def test_a_pause_is_shown_until_a_batch_is_committed_again() -> None:
    failed = growth("quartet_records_total", app=metrics.app(), topic="images", outcome="failed")
    seen: list[float] = []

    class Watched(MemorySource):
        """Notes at each poll whether the app is said to be paused."""

        def poll(self, seconds: float, max_records: int) -> list[Record]:
            seen.append(shown("quartet_paused", app=metrics.app(), reason="database"))
            return super().poll(seconds, max_records)

    pipeline = Pipeline()
    for sequence in range(5):
        pipeline.send(image(sequence))
    pipeline.faults.at("before write", *(away() for _ in range(3)))
    assert pipeline.run(source=Watched) is ExitCode.OK
    assert 1 in seen
    assert shown("quartet_paused", app=metrics.app(), reason="database") == 0
    assert failed() >= 5
