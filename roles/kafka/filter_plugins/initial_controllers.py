"""The filter that names the first voters of a cluster's metadata quorum."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any


def initial_controllers(nodes: Iterable[Mapping[str, Any]], cluster: str, port: int) -> str:
    """Return the nodes {id, address} as `kafka-storage.sh format --initial-controllers` wants them: `1@address:9094:directory,…`.

    All nodes are formatted with the same list, so the id of each data directory is derived from the cluster's id and the node's.
    """
    return ",".join(f"{node['id']}@{node['address']}:{port}:{_directory(cluster, node['id'])}" for node in nodes)


def _directory(cluster: str, node: int) -> str:
    """Return a UUID in Kafka's notation; as Kafka's own, it does not begin with a hyphen, which a command line would take for an option."""
    for attempt in count():
        digest = hashlib.sha256(f"{cluster}/{node}/{attempt}".encode()).digest()[:16]
        name = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if not name.startswith("-"):
            return name
    raise AssertionError


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"initial_controllers": initial_controllers}
