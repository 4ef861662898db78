"""Filters for a rescue: what a failed task said, and a text without the secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_SAID = ("item", "msg", "message", "module_stderr", "stderr", "stdout")


def failure_words(result: Mapping[str, Any]) -> list[str]:
    """Return what a failed task, or each failed item of its loop, said; nothing twice."""
    failures = [row for row in result.get("results", [result]) if row.get("failed")]
    said = (str(failure.get(part) or "").strip() for failure in failures for part in _SAID)
    return list(dict.fromkeys(words for words in said if words))


def without_secrets(text: str, secrets: Iterable[object]) -> str:
    """Return the text with asterisks for each secret. Of two that begin alike the longer one is replaced as a whole."""
    words = sorted({str(secret) for secret in secrets if secret}, reverse=True)
    return re.sub("|".join(map(re.escape, words)), "********", text) if words else text


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"failure_words": failure_words, "without_secrets": without_secrets}
