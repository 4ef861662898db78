"""Stream and batch are compared when both have counted everything, and not before."""

from __future__ import annotations

from quartet.counting.totals import Totals
from quartet.exporter.agreement import Agreement
from quartet.exporter.counts import Results


def counted(at: float = 0.0, **totals: tuple[int, int]) -> Results:
    return Results({int(name[1:]): Totals(*values) for name, values in totals.items()}, at, {})


class Pipeline:
    """Polls at times of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.agreement = Agreement(lambda: self.now)

    def poll(self, now: float, records: int, drained: bool, stream: Results, batch: Results) -> dict[int, int] | None:
        self.now = now
        self.agreement.update(records, drained, stream, batch)
        return self.agreement.differences


def test_a_batch_that_began_before_the_last_record_is_not_compared() -> None:
    pipeline = Pipeline()
    stream = counted(p1=(10, 2))
    assert pipeline.poll(100, 10, False, stream, counted(50, p1=(3, 1))) is None
    assert pipeline.poll(110, 10, True, stream, counted(50, p1=(3, 1))) is None
    # it ended after the last record and may have begun before
    assert pipeline.poll(120, 10, True, stream, counted(115, p1=(3, 1))) is None
    assert pipeline.poll(720, 10, True, stream, counted(715, p1=(10, 2))) == {1: 0}


def test_a_forged_document_is_a_difference_at_once_when_all_is_quiet() -> None:
    pipeline = Pipeline()
    for now, at in ((100, 50), (700, 650), (1300, 1250)):
        pipeline.poll(now, 10, True, counted(p1=(10, 2)), counted(at, p1=(10, 2)))
    assert pipeline.agreement.differences == {1: 0}
    assert pipeline.poll(1310, 10, True, counted(p1=(10, 2), p9=(5, 5)), counted(1250, p1=(10, 2))) == {1: 0, 9: 10}


def test_while_records_flow_the_last_judgement_stays() -> None:
    pipeline = Pipeline()
    for now, at in ((100, 50), (700, 650), (1300, 1250)):
        pipeline.poll(now, 10, True, counted(p1=(10, 2)), counted(at, p1=(10, 2)))
    assert pipeline.poll(1310, 20, False, counted(p1=(15, 9)), counted(1250, p1=(10, 2))) == {1: 0}
    assert pipeline.poll(1320, 20, True, counted(p1=(20, 9)), counted(1250, p1=(10, 2))) == {1: 0}


def test_new_records_between_two_drained_polls_begin_the_wait_again() -> None:
    pipeline = Pipeline()
    for now, at in ((100, 50), (700, 650), (1300, 1250)):
        pipeline.poll(now, 10, True, counted(p1=(10, 2)), counted(at, p1=(10, 2)))
    assert pipeline.poll(1310, 20, True, counted(p1=(20, 9)), counted(1250, p1=(10, 2))) == {1: 0}
