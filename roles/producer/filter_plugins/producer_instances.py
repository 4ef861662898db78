"""The filter that completes the settings of each producer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

_FIRST_METRICS_PORT = 9301


def producer_instances(
    rows: Sequence[Mapping[str, Any]], common: Mapping[str, Any], dataset: str, path: str | None, run: str
) -> list[dict[str, Any]]:
    """Return {name, settings} for each row of `producer_instances`, as the role `app` takes them.

    What a row leaves out: its producers share the data set equally, send all of it as fast as it goes and undistorted.
    """
    instances = []
    for index, row in enumerate(rows):
        kind = row.get("dataset", dataset)
        settings = {
            **common,
            "producer_id": row["id"],
            "dataset": {"kind": kind, "path": None if kind == "glyphs" else path},
            "split": row.get("split", "test"),
            "slice": row.get("slice", {"index": index, "of": len(rows)}),
            "rate": row.get("rate", 0),
            "count": row.get("count", 0),
            "seed": row.get("seed", 1),
            "run": row.get("run", run),
            "distortion": row.get("distortion", {"kind": "none", "severity": 0}),
            "metrics_port": row.get("metrics_port", _FIRST_METRICS_PORT + index),
        }
        instances.append({"name": str(row["id"]), "settings": settings})
    return instances


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"producer_instances": producer_instances}
