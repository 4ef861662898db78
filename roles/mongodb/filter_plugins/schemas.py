"""The filter that gives collections their validators."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any


def with_validators(collections: Iterable[Mapping[str, Any]], folder: str) -> list[dict[str, Any]]:
    """Return the collections, each with the JSON schema of `<folder>/<schema>.json` as its validator; an empty one where it names no schema."""
    return [
        {**row, "validator": json.loads((Path(folder) / f"{row['schema']}.json").read_text(encoding="utf-8")) if row.get("schema") else {}}
        for row in collections
    ]


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"with_validators": with_validators}
