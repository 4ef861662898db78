"""docs/faults.md is what its renderer makes of docs/faults.json, in lines that fit a terminal."""

from __future__ import annotations

import json

from faults import alerts, table


def test_the_page_is_rendered_from_the_rows() -> None:
    text = table.PAGE.read_text()
    made = text.partition(table.BEGIN)[2].partition(table.END)[0].strip()
    assert made == table.rendered(json.loads(table.FILE.read_text())), "PYTHONPATH=tests .venv/bin/python -m faults.table"


def test_a_row_keeps_its_words_in_lines_that_fit() -> None:
    seen = "kafka after 3 s: " + "word " * 60
    row = {"name": "F1", "what": "done " * 40, "seen": [seen], "messages": 45000, "rate": None, "sent_again": 7, "lost": 0, "duplicated": 0}
    page = table.rendered([{**row, "seconds": 78, "date": "2026-11-25", "server": "one"}])
    assert "| F1  |   45,000 |        - |    0 |            0 |          7 |                 78 |      - |" in page.splitlines()
    assert " ".join(seen.split()) in " ".join(page.split())
    head = table.PAGE.read_text().partition(table.BEGIN)[0]
    assert max(map(len, (page + head).splitlines())) <= table.WIDTH


def test_the_alerts_of_a_row_are_shown() -> None:
    old = {"name": "F1", "what": "x", "seen": [], "messages": 1, "rate": 1, "sent_again": 0, "lost": 0, "duplicated": 0, "seconds": 1}
    fired = {**old, "name": "F2", "alerts": [["UnitDown", 65], ["ConsumerStalled", 320]]}
    assert [table.cells(row)[-1] for row in (old, fired, {**old, "alerts": []})] == ["-", "2", "0"]
    assert [table.seen(row) for row in (old, fired, {**old, "alerts": []})] == [
        [],
        ["alerts: UnitDown after 65 s, ConsumerStalled after 320 s"],
        ["no alert"],
    ]


def test_an_alert_counts_from_its_first_sample_and_not_if_it_fired_before() -> None:
    def series(name: str, *times: int) -> dict[str, object]:
        return {"metric": {"alertname": name, "severity": "critical"}, "values": [[at, "1"] for at in times]}

    found = [series("UnitDown", 1070, 1075), series("UnitDown", 1065), series("VerifyOld", 1000, 1005), series("KafkaOffline", 1040)]
    assert alerts.parsed(json.dumps({"status": "success", "data": {"result": found}}), 1000) == [("KafkaOffline", 40), ("UnitDown", 65)]
    assert alerts.parsed("", 1000) is None
    assert alerts.parsed(json.dumps({"data": {"result": []}}), 1000) == []
