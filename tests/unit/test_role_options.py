"""A role's defaults, its argument_specs and the table in its README say the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("role_options", ROOT / "tests/role_options.py")
assert _spec and _spec.loader
role_options = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(role_options)


@pytest.fixture(params=role_options.roles(), ids=lambda role: role.name)
def role(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_defaults_and_argument_specs_are_equal(role: Path) -> None:
    specs = role_options.options(role)
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text()) or {}
    assert defaults == {name: spec["default"] for name, spec in specs.items() if "default" in spec}
    without = [name for name, spec in specs.items() if "default" not in spec and not spec.get("required")]
    assert not without, "neither a default nor required"


def test_options_carry_the_roles_prefix(role: Path) -> None:
    assert not [name for name in role_options.options(role) if not name.startswith(f"{role.name}_")]


def test_the_readme_has_the_table(role: Path) -> None:
    assert not role_options.stale(role), "python tests/role_options.py --write"


def test_every_role_has_a_scenario(role: Path) -> None:
    elsewhere = {"java": "kafka", "torch": "inference", "producer": "db_consumer", "prometheus": "monitoring"}
    scenario = (elsewhere | dict.fromkeys(("exporter", "node_exporter"), "default")).get(role.name, role.name)
    assert (ROOT / "molecule" / scenario / "molecule.yml").exists()
