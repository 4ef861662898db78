"""The table of options in every role's README, made from its argument_specs.

python tests/role_options.py            say which READMEs are stale
python tests/role_options.py --write    update them
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
MARKED = re.compile(r"(?<=<!-- options -->\n).*?(?=<!-- /options -->)", re.DOTALL)


def options(role: Path) -> dict[str, dict[str, Any]]:
    """Return the options of all entry points of a role, by name.

    Raises:
        ValueError: an option is described twice; a further entry point names it by a YAML alias, which loads as the same object.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"].values():
        for name, spec in (entry.get("options") or {}).items():
            if found.setdefault(name, spec) is not spec:
                raise ValueError(f"{role.name}: {name} is described twice; write an alias for it in the second entry point")
    return found


def table(role: Path) -> str:
    """Return the Markdown table of a role's options."""
    rows = ["| option | type | default | meaning |", "|---|---|---|---|"]
    for name, spec in options(role).items():
        kind = spec["type"] + (f" of {spec['elements']}" if "elements" in spec else "")
        default = "required" if spec.get("required") else f"`{_short(spec['default'])}`" if "default" in spec else ""
        meaning = spec["description"] if isinstance(spec["description"], str) else " ".join(spec["description"])
        meaning = " ".join(meaning.split()).replace("|", "\\|")
        rows.append(f"| `{name}` | {kind} | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _short(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, str):
        return default.replace("|", "\\|") or "''"
    text = yaml.safe_dump(default, default_flow_style=True, width=10_000).strip().removesuffix("...").strip()
    return text.replace("|", "\\|") if len(text) < 80 else "see defaults/main.yml"


def roles() -> list[Path]:
    """Return the folders of all roles."""
    return sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/argument_specs.yml"))


def stale(role: Path, *, write: bool = False) -> bool:
    """Return whether the table in a role's README differs from its argument_specs; update it if `write` is set."""
    readme = role / "README.md"
    text = readme.read_text()
    if not MARKED.search(text):
        raise ValueError(f"{readme} has no <!-- options --> and <!-- /options -->")
    fresh = MARKED.sub(lambda _: table(role), text)
    if write and fresh != text:
        readme.write_text(fresh)
    return fresh != text


if __name__ == "__main__":
    names = [role.name for role in roles() if stale(role, write="--write" in sys.argv)]
    print("\n".join(names) or "all READMEs are right")
    sys.exit(bool(names) and "--write" not in sys.argv)
