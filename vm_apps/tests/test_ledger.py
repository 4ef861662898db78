"""The ledger: what it keeps over a crash, and what it refuses."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from quartet.producer.ledger import Ledger, export, payload_digests
from quartet.runtime.errors import ExitCode, QuartetError

BINDING = {"dataset": "glyphs", "seed": 1}


def digests(first: int, end: int) -> list[bytes]:
    return [hashlib.sha256(str(number).encode()).digest() for number in range(first, end)]


def test_what_was_reserved_and_acknowledged_survives(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 101, "first", BINDING)
    ledger.reserve(0, digests(0, 10))
    ledger.acknowledge([1, 2, 5])
    ledger.sync()
    ledger.acknowledge([9])
    ledger.acknowledge([0])
    ledger.close()
    again = Ledger(tmp_path, 101, "first", BINDING)
    assert again.high_water == 10
    assert again.finished is None
    assert list(again.unacknowledged(10)) == [3, 4, 6, 7, 8]
    (exported,) = export(tmp_path)
    assert exported["acknowledged"] == [(0, 3), (5, 6), (9, 10)]
    assert payload_digests(exported) == [digest.hex() for digest in digests(0, 10)]


def test_the_mark_is_on_disk_before_anything_may_be_sent(tmp_path: Path) -> None:
    Ledger(tmp_path, 101, "first", BINDING).reserve(0, digests(0, 2000))
    assert export(tmp_path)[0]["high_water"] == 2000


def test_a_finished_run_stays_finished(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 101, "first", BINDING)
    ledger.reserve(0, digests(0, 3))
    ledger.finish(3)
    ledger.close()
    assert Ledger(tmp_path, 101, "first", BINDING).finished == 3


def test_another_data_set_under_a_runs_name_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path, 101, "first", BINDING).reserve(0, digests(0, 1))
    with pytest.raises(QuartetError, match=r"seed was 1 and is 2\. Name a new run") as refused:
        Ledger(tmp_path, 101, "first", {**BINDING, "seed": 2})
    assert refused.value.code is ExitCode.INPUT


def test_another_image_under_a_sequence_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, 101, "first", BINDING)
    ledger.reserve(0, digests(0, 5))
    ledger.reserve(0, digests(0, 7))
    with pytest.raises(QuartetError, match="other images than when the run started"):
        ledger.reserve(3, digests(30, 35))
    assert ledger.high_water == 7
