"""Filters that say which variables a file declares, so that validate.yml can refuse the ones nobody declared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml


def declared_variables(path: str) -> list[str]:
    """Return the top-level keys of a YAML file of variables (group_vars, defaults)."""
    return sorted(yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {})


def role_options(path: str) -> list[str]:
    """Return the options of all entry points of a role's meta/argument_specs.yml."""
    specs = yaml.safe_load(Path(path).read_text(encoding="utf-8"))["argument_specs"]
    return sorted({name for entry in specs.values() for name in entry.get("options", {})})


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"declared_variables": declared_variables, "role_options": role_options}
