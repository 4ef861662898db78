"""Filters that say which variables this project knows, so that validate.yml can refuse the ones nobody declared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

# The compiled loader reads 40 files ten times as fast; it is missing where PyYAML was built without libyaml.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _load(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader) or {}  # noqa: S506 (both are safe loaders)


def known_variables(project: str) -> list[str]:
    """Return the variables of the playbooks' group_vars and the options of every role's entry points."""
    names = {name for path in Path(project).glob("playbooks/group_vars/**/*.yml") for name in _load(path)}
    for path in Path(project).glob("roles/*/meta/argument_specs.yml"):
        names.update(option for entry in _load(path)["argument_specs"].values() for option in entry.get("options") or {})
    return sorted(names)


def variable_prefixes(project: str) -> list[str]:
    """Return the prefixes that mark a variable as one of this project: quartet and each role's name."""
    return ["quartet", *sorted(path.parent.parent.name for path in Path(project).glob("roles/*/meta/argument_specs.yml"))]


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"known_variables": known_variables, "variable_prefixes": variable_prefixes}
