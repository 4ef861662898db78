"""The filter that compares the kernel's settings with those that MongoDB asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def kernel_rows(wanted: Iterable[Mapping[str, Any]], now: Iterable[str]) -> list[dict[str, Any]]:
    """Return the rows {file, value, now} that apply to this kernel.

    Those that it knows (`now` is not `unknown`), and that have no larger value already where `least` says that a larger one may stay.
    """
    return [
        {"file": row["file"], "value": row["value"], "now": found}
        for row, found in zip(wanted, now, strict=False)
        if found != "unknown" and not (row.get("least") and int(found) > row["value"])
    ]


def kernel_differences(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows whose value is another one now."""
    return [row for row in rows if row["now"] != str(row["value"])]


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"kernel_rows": kernel_rows, "kernel_differences": kernel_differences}
