"""The documentation of each role's module exists, parses and matches its argument_spec."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from role_modules import MODULES, load_module

FACTS = ("type", "elements", "required", "default", "choices")


class SpecificationSeenError(Exception):
    """Ends a module as soon as it has declared its argument_spec."""


def specification(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the argument_spec that a module gives to AnsibleModule."""

    def seen(argument_spec: dict[str, Any], **_: Any) -> None:
        raise SpecificationSeenError(argument_spec)

    monkeypatch.setattr(module, "AnsibleModule", seen)
    with pytest.raises(SpecificationSeenError) as caught:
        module.main()
    return caught.value.args[0]


def facts(options: dict[str, Any], below: str) -> dict[str, Any]:
    """Return the facts that documentation and specification both state about options; `below` is the key of the options of an option."""
    return {
        name: {fact: option[fact] for fact in FACTS if option.get(fact) not in (None, False)} | {"of": facts(option.get(below, {}), below)}
        for name, option in options.items()
    }


@pytest.fixture(params=MODULES, ids=lambda path: path.stem)
def module(request: pytest.FixtureRequest) -> ModuleType:
    path: Path = request.param
    return load_module(path.stem)


def test_the_documentation_has_the_options(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    documentation = yaml.safe_load(module.DOCUMENTATION)
    assert documentation["module"] == module.__name__
    assert documentation["short_description"]
    assert documentation["description"]
    assert facts(documentation["options"], "suboptions") == facts(specification(module, monkeypatch), "options")


def test_the_examples_are_tasks_of_the_module(module: ModuleType) -> None:
    options = yaml.safe_load(module.DOCUMENTATION)["options"]
    examples = yaml.safe_load(module.EXAMPLES)
    assert examples
    for task in examples:
        assert task["name"]
        assert task[module.__name__].keys() <= options.keys()
        assert {name for name, option in options.items() if option.get("required")} <= task[module.__name__].keys()


def test_what_it_returns_is_described(module: ModuleType) -> None:
    returned = yaml.safe_load(module.RETURN)
    assert returned
    assert all(value["description"] and value["type"] and value["returned"] for value in returned.values())
