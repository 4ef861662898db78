"""Reads and validates single fields of a JSON object; each function raises ContractError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quartet.contracts import strict_json
from quartet.contracts.causes import Cause, ContractError
from quartet.contracts.labels import LABELS


def json_object(value: bytes) -> dict[str, Any]:
    """Parse a record's value as a JSON object."""
    try:
        return strict_json.load_object(bytes(value))
    except ValueError as error:
        raise ContractError(Cause.BAD_JSON, str(error)[:200]) from None


def text(body: Mapping[str, Any], name: str) -> str:
    """Return a required string."""
    if name not in body:
        raise ContractError(Cause.MISSING_FIELD, name)
    if not isinstance(body[name], str):
        raise ContractError(Cause.BAD_FIELD, f"{name} is not a string")
    return str(body[name])


def label(body: Mapping[str, Any], name: str) -> str:
    """Return a required string that is one of LABELS."""
    found = text(body, name)
    if found not in LABELS:
        raise ContractError(Cause.BAD_FIELD, f"{name} {found[:40]!r} is not a label")
    return found


def whole_number(body: Mapping[str, Any], name: str, low: int, high: int) -> int:
    """Return a required integer from `low` to `high`."""
    if name not in body:
        raise ContractError(Cause.MISSING_FIELD, name)
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ContractError(Cause.BAD_FIELD, f"{name} {_shown(value)} is not a whole number from {low} to {high}")
    return value


def fraction(body: Mapping[str, Any], name: str) -> float:
    """Return a required number from 0 to 1."""
    if name not in body:
        raise ContractError(Cause.MISSING_FIELD, name)
    value = body[name]
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ContractError(Cause.BAD_FIELD, f"{name} {_shown(value)} is not a number from 0 to 1")
    return float(value)


def _shown(value: object) -> str:
    """Return a scalar as text, for anything else only its type: a nested value may be arbitrarily large."""
    return f"{value!r:.40}" if isinstance(value, str | int | float | None) else f"(a {type(value).__name__})"
