"""Every alert is parsed by promtool, has a case that fires and one that does not, and says what to do; every name in it is declared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from promtool import metric_names, promtool, undeclared

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(ROOT.glob("roles/prometheus/files/alerts/*.yml"))
CASES = sorted(ROOT.glob("tests/alerts/*_cases.yml"))
RULES: list[dict[str, Any]] = [rule for path in FILES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
NAMES = sorted({rule["alert"] for rule in RULES})
TESTS = [test for path in CASES for group in yaml.safe_load(path.read_text())["tests"] for test in group["promql_expr_test"]]
#: Silent while an operation does on purpose what they would alarm of
DURING_NO_OPERATION = {"UnitDown", "ConsumerStalled", "UnderMinIsr", "UnderReplicated", "NoPrimary"}


def paragraphs() -> dict[str, str]:
    """Return the paragraphs of the page by their anchor, which GitHub makes of the heading."""
    page = (ROOT / "docs/operations.md").read_text().partition("\n## Alerts\n")[2]
    return {heading.lower(): text.strip() for heading, text in re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)}


def cases(alert: str, *, fires: bool) -> list[str]:
    """Return the expressions of the cases in which the alert fires, or in which it is silent."""
    of = re.compile(rf'alertname=~?"(?:\w+\|)*{alert}[|"]')
    return [test["expr"] for test in TESTS if of.search(test["expr"]) and bool(test["exp_samples"]) is fires]


def test_promtool_accepts_the_rules() -> None:
    result = promtool("check", "rules", *FILES)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_alerts_fire_when_they_should_and_else_do_not(path: Path) -> None:
    result = promtool("test", "rules", path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_has_both_cases() -> None:
    assert [name for name in NAMES if not cases(name, fires=True)] == []
    assert [name for name in NAMES if not cases(name, fires=False)] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do_and_where_more_is(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "none")
    assert rule["annotations"].keys() == {"summary", "action", "paragraph"}
    page, _, anchor = rule["annotations"]["paragraph"].partition("#")
    assert page == "docs/operations.md"
    assert anchor == rule["alert"].lower()
    assert len(paragraphs()[anchor]) > 100


def test_no_paragraph_is_left_of_an_alert_that_went() -> None:
    assert paragraphs().keys() == {name.lower() for name in NAMES}


def test_an_operation_silences_what_it_causes() -> None:
    silenced = "unless on () quartet_operation_running == 1"
    assert {rule["alert"] for rule in RULES if " ".join(rule["expr"].split()).endswith(silenced)} == DURING_NO_OPERATION


def test_every_name_in_the_rules_is_declared() -> None:
    assert undeclared({name for rule in RULES for name in metric_names(rule["expr"])}) == []


def test_names_are_found_in_an_expression() -> None:
    expression = 'sum by (host) (rate(a_total{b=~"x (y)"}[5m])) > on (host) group_left () c:d offset 1d unless on () e == bool 1e3'
    assert metric_names(expression) == {"a_total", "c:d", "e"}
