"""Grafana's dashboards are what the generator makes; every expression parses and selects series that something here makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_dashboards import DASHBOARDS, FOLDER, expressions, stale
from promtool import metric_names, promtool, undeclared


def objects(value: Any) -> list[dict[str, Any]]:
    """Return every object in a JSON value."""
    if isinstance(value, dict):
        return [value, *(found for each in value.values() for found in objects(each))]
    return [found for each in value for found in objects(each)] if isinstance(value, list) else []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_file_is_what_is_generated(name: str) -> None:
    assert not stale(name), "python tests/grafana_dashboards.py --write"


def test_no_file_is_left_of_a_dashboard_that_went() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == DASHBOARDS.keys()


def test_promtool_parses_every_expression(tmp_path: Path) -> None:
    rules = [{"record": f"dashboard:panel_{number}", "expr": expression} for number, expression in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    result = promtool("check", "rules", tmp_path / "rules.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(rules)} rules found" in result.stdout


def test_every_name_is_declared() -> None:
    assert undeclared({name for expression in expressions() for name in metric_names(expression)} - {"ALERTS"}) == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_datasource_is_a_variable_and_the_identity_fixed(name: str) -> None:
    dashboard = json.loads((FOLDER / f"{name}.json").read_text())
    assert (dashboard["uid"], dashboard["title"]) == (f"quartet-{name}", DASHBOARDS[name][0])
    (variable,) = dashboard["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    sources = [found["datasource"] for found in objects(dashboard) if "datasource" in found]
    assert len(sources) > len(dashboard["panels"])
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert "id" not in dashboard
