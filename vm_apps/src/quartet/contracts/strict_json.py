"""A strict JSON parser: every text has one meaning, the same on every machine, and bounded nesting.

Python's own parser accepts NaN, lets the last of two equal fields win, and its maximum nesting depends on the caller's stack.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

#: Maximum nesting of lists and objects; without it a process with less stack would refuse what another one accepts.
_MAX_LEVELS: Final = 64
_STRINGS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def load_object(content: bytes) -> dict[str, Any]:
    """Parse a JSON object in UTF-8.

    Raises:
        ValueError: it is not JSON, not an object, nested too deeply, has duplicate fields, or contains NaN, Infinity or a number of
            more than 4,300 digits.
    """
    if content.count(b"[") + content.count(b"{") > _MAX_LEVELS:
        _limit_levels(content.decode())
    body = _decoder.decode(content.decode())
    if not isinstance(body, dict):
        raise ValueError("the value is not an object")
    return body


def _limit_levels(text: str) -> None:
    level = 0
    for character in _STRINGS.sub("", text):
        if character in "[{":
            level += 1
            if level > _MAX_LEVELS:
                raise ValueError(f"more than {_MAX_LEVELS} levels")
        elif character in "]}":
            level -= 1


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field occurs twice")
    return fields


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_fields, parse_constant=_no_constant)
