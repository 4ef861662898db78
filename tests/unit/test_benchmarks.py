"""The arithmetic of the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import lab, latency, results, stream_state
from benchmarks.lab import rate_in_the_middle
from benchmarks.results import Goal, Row, ratios


def test_a_row_is_judged_by_the_median_of_its_rounds() -> None:
    row = Row("m", "w", Goal(">=", 0.9), ratios([90, 80, 95], [100, 100, 100]))
    assert row.met
    assert row.got == "0.9 (0.8 to 0.95, 3 rounds)"
    assert not Row("m", "w", Goal("<", 0.9), [0.9]).met


@pytest.mark.parametrize(("value", "text"), [(0.9123, "0.912"), (12.34, "12.3"), (1234.5, "1,234"), (0, "0")])
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert results.number(value) == text


def test_a_kept_row_replaces_the_older_one_and_leaves_the_page_around_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "KEPT", tmp_path / "kept.json")
    monkeypatch.setattr(results, "PAGE", tmp_path / "page.md")
    results.PAGE.write_text(f"before\n{results.BEGIN}\n{results.END}\nafter\n")
    results.keep([Row("a", "x", Goal("<", 1), [2.0]), Row("b", "y", Goal("<", 1), [0.5], {"one": [1, 2, 3]})], "a server")
    results.keep([Row("a", "x", Goal("<", 1), [0.25])], "a server")
    page = results.PAGE.read_text()
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "| a | x. | < 1 | 0.25 (1 round)" in page
    assert "not met" not in page
    assert "one 2" in page
    assert [entry["values"] for entry in json.loads(results.KEPT.read_text())] == [[0.25], [0.5]]


def test_the_middle_of_a_counter_leaves_the_slow_ends_out() -> None:
    samples = [(0.0, 0.0), (5.0, 50.0), *((5.0 + second, 100.0 * second) for second in range(1, 10)), (30.0, 1000.0)]
    assert rate_in_the_middle(samples, 1000) == pytest.approx(100)


def test_a_quantile_is_interpolated_in_its_bucket() -> None:
    cumulative = {0.01: 50.0, 0.02: 90.0, 0.03: 100.0, float("inf"): 100.0}
    assert latency._quantile(cumulative, 0.5) == pytest.approx(0.01)
    assert latency._quantile(cumulative, 0.95) == pytest.approx(0.025)


@pytest.mark.parametrize("late", [0, 30, 100])
def test_arrivals_hold_every_sequence(late: int) -> None:
    found = list(stream_state.arrivals(100, late, seed=1))
    assert set(found) == set(range(100))
    assert (len(found) > 100) == (late > 0)


def test_without_a_name_all_that_the_lab_can_run_begin_drained_and_end_in_one_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    order: list[str] = []
    monkeypatch.setattr(lab, "wait_until_drained", lambda: order.append("drained"))
    for name in benchmarks.MEASURES:
        rows = [Row(name, "what", Goal("<", 1), [2.0 if name == "growth" else 0.5])]
        monkeypatch.setattr(benchmarks._module(name), "measure", lambda _, name=name, rows=rows: order.append(name) or rows)
    assert benchmarks.main([]) == 1
    alone = [name for name in benchmarks.MEASURES if not getattr(benchmarks._module(name), "NEEDS_THE_LAB", True)]
    needs = [name for name in benchmarks.MEASURES if name not in (*benchmarks.ALONE, *alone)]
    assert [word for name in needs for word in ("drained", name)] == [word for word in order if word not in alone]
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("met ", "NOT MET"))]
    assert [line.split()[0] for line in table].count("met") == len(benchmarks.MEASURES) - len(benchmarks.ALONE) - 1
    assert [line for line in table if line.startswith("NOT MET") and "growth: what" in line]


def test_a_name_that_is_none_lists_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert (benchmarks.main(["speed"]), benchmarks.main(["--list"])) == (2, 0)
    printed = capsys.readouterr().out
    assert all(printed.count(f"\n  {name} ") == 2 for name in benchmarks.MEASURES)
