"""The filter that turns the table of connections into the firewall's rows for one VM."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def firewall_rows(
    connections: Iterable[Mapping[str, Any]],
    own_groups: Iterable[str],
    groups: Mapping[str, Iterable[str]],
    addresses: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return the rows {what, ports, from} of a VM.

    Args:
        connections: {what, ports, to, from, clients}; `to` and `from` are names of groups, `clients` (optional) sources outside the inventory.
        own_groups: the groups of the VM; a connection with none of them in `to` makes no row.
        groups: the hosts of each group; a group that the inventory does not have is empty.
        addresses: the address of each host, as the other VMs know it.
    """
    return [
        {
            "what": connection["what"],
            "ports": connection["ports"],
            "from": sorted({addresses[host] for group in connection["from"] for host in groups.get(group, ())})
            + list(connection.get("clients", ())),
        }
        for connection in connections
        if set(connection["to"]) & set(own_groups)
    ]


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"firewall_rows": firewall_rows}
