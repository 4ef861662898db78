"""Image ids, and the names of runs and models."""

from __future__ import annotations

import re
from typing import Final

from quartet.contracts.causes import Cause, ContractError
from quartet.contracts.limits import INT32_MAX

_ID: Final = re.compile(r"([1-9][0-9]{0,9})-([a-z0-9]{1,32})-([0-9]{12})", re.ASCII)
_RUN: Final = re.compile(r"[a-z0-9]{1,32}", re.ASCII)
_MODEL: Final = re.compile(r"[0-9a-f]{12}", re.ASCII)


def image_id(producer_id: int, run: str, sequence: int) -> str:
    """Return the id of an image."""
    return f"{producer_id}-{run}-{sequence:012d}"


def parse_id(text: str) -> tuple[int, str, int]:
    """Return producer id, run and sequence of an image id.

    Raises:
        ContractError: the text is not an image id.
    """
    match = _ID.fullmatch(text)
    if match is None or int(match[1]) > INT32_MAX:
        raise ContractError(Cause.BAD_KEY, f"{text[:80]!r} is not <producer_id>-<run>-<sequence of 12 digits>")
    return int(match[1]), match[2], int(match[3])


def is_run(text: str) -> bool:
    """Return whether a text is a valid name of a run."""
    return _RUN.fullmatch(text) is not None


def is_model(text: str) -> bool:
    """Return whether a text is a valid name of a model: the first 12 hex digits of the sha256 of its file."""
    return _MODEL.fullmatch(text) is not None
