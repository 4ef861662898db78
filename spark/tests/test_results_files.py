"""The batch's CSV and chart."""

from __future__ import annotations

import csv
from pathlib import Path

from quartet.counting.totals import Totals
from quartet_spark import results_files

COUNTS = {102: Totals(total=1000, incorrect=808), 101: Totals(total=1000, incorrect=1)}


def test_the_csv_has_one_line_per_producer(tmp_path: Path) -> None:
    file = results_files.write_csv(tmp_path, COUNTS, "0123456789ab")
    assert list(csv.reader(file.read_text().splitlines())) == [
        ["producer_id", "incorrect_count", "total_count", "model"],
        ["101", "1", "1000", "0123456789ab"],
        ["102", "808", "1000", "0123456789ab"],
    ]


def test_the_chart_is_a_picture_also_of_nothing(tmp_path: Path) -> None:
    for counts in (COUNTS, {}):
        file = results_files.write_chart(tmp_path, counts, "0123456789ab")
        assert file.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert sorted(item.name for item in tmp_path.iterdir()) == [results_files.CHART_NAME]
