"""Filters that make rows of the module `files` out of what a role knows by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.plugins.filter.core import to_nice_json


def secret_files(secrets: Mapping[str, str], folder: str = "/etc/quartet/secrets") -> list[dict[str, str]]:
    """Return a row for each secret, by the name of its file; root alone may read them."""
    return [{"path": f"{folder}/{name}", "content": secret, "mode": "0600"} for name, secret in secrets.items()]


def json_files(contents: Mapping[str, Any], folder: str) -> list[dict[str, str]]:
    """Return a row `<folder>/<name>.json` for each name, its keys in their order."""
    return [
        {"path": f"{folder}/{name}.json", "content": f"{to_nice_json(content, sort_keys=False)}\n"} for name, content in contents.items()
    ]


def link_files(paths: Iterable[str], source: str) -> list[dict[str, str]]:
    """Return a row for each path, a link to the source."""
    return [{"path": path, "state": "link", "src": source} for path in paths]


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"secret_files": secret_files, "json_files": json_files, "link_files": link_files}
