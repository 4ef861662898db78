"""Reads and validates single headers of a record; each function raises ContractError."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from quartet.contracts.causes import Cause, ContractError
from quartet.contracts.ids import is_run
from quartet.contracts.labels import LABELS

Headers = Sequence[tuple[str, bytes | None]]

_DECIMAL: Final = re.compile(rb"(0|[1-9][0-9]{0,18})")


def by_name(headers: Headers) -> dict[str, bytes]:
    """Return the headers with a value, by name; if a name occurs more than once, the first one counts."""
    for name, _ in headers:
        if not name.isascii() and not _is_utf8(name):
            raise ContractError(Cause.BAD_HEADER, f"a header's name is not UTF-8: {name[:40]!r}")
    return {name: content for name, content in reversed(headers) if content is not None}


def header(fields: Mapping[str, bytes], name: str) -> bytes:
    """Return the value of a required header."""
    if name not in fields:
        raise ContractError(Cause.MISSING_HEADER, name)
    return bytes(fields[name])


def whole_number(fields: Mapping[str, bytes], name: str, low: int, high: int) -> int:
    """Return a header as an integer from `low` to `high`; it must be in decimal digits."""
    content = header(fields, name)
    if _DECIMAL.fullmatch(content) is None or not low <= int(content) <= high:
        raise ContractError(Cause.BAD_HEADER, f"{name} {content[:40]!r} is not a whole number from {low} to {high}")
    return int(content)


def run_name(fields: Mapping[str, bytes]) -> str:
    """Return the header `run`."""
    content = header(fields, "run")
    run = content.decode("ascii", "replace")
    if not is_run(run):
        raise ContractError(Cause.BAD_HEADER, f"run {content[:80]!r} is not 1 to 32 of a-z and 0-9")
    return run


def label(content: bytes) -> str:
    """Return the value of the header `actual_value` as a label."""
    text = bytes(content).decode("ascii", "replace")
    if text not in LABELS:
        raise ContractError(Cause.BAD_HEADER, f"actual_value {content[:40]!r} is not a label")
    return text


def _is_utf8(name: str) -> bool:
    try:
        str.encode(name, "utf-8")
    except UnicodeEncodeError:
        return False
    return True
