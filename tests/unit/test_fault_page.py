"""docs/faults.md is what its renderer makes of docs/faults.json, in lines that fit a terminal."""

from __future__ import annotations

import json

from faults import table


def test_the_page_is_rendered_from_the_rows() -> None:
    text = table.PAGE.read_text()
    made = text.partition(table.BEGIN)[2].partition(table.END)[0].strip()
    assert made == table.rendered(json.loads(table.FILE.read_text())), "PYTHONPATH=tests .venv/bin/python -m faults.table"


def test_a_row_keeps_its_words_in_lines_that_fit() -> None:
    seen = "kafka after 3 s: " + "word " * 60
    row = {"name": "F1", "what": "done " * 40, "seen": [seen], "messages": 45000, "rate": None, "sent_again": 7, "lost": 0, "duplicated": 0}
    page = table.rendered([{**row, "seconds": 78, "date": "2026-11-25", "server": "one"}])
    assert "| F1  |   45,000 |        - |    0 |            0 |          7 |                 78 |" in page.splitlines()
    assert " ".join(seen.split()) in " ".join(page.split())
    head = table.PAGE.read_text().partition(table.BEGIN)[0]
    assert max(map(len, (page + head).splitlines())) <= table.WIDTH
