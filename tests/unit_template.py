"""Templates of units, rendered without Ansible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2


def rendered(template: Path, **variables: Any) -> str:
    """Render a template; its lookups of other templates follow their path from its own folder, as Ansible's do from the role's."""

    def lookup(_: str, path: str, template_vars: dict[str, Any] | None = None) -> str:
        return rendered(template.parent / path, **variables | (template_vars or {}))

    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(template.read_text()).render(variables, lookup=lookup)
