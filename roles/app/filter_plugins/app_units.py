"""The filter that says which units an app has, and what each is started with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def app_units(instances: Iterable[Mapping[str, Any]], app: str, unit: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return {name, inputs} for each instance of an app, as `base: units` takes them.

    An instantiated unit is `<name>@<instance>.service`; another one has one instance, whose name is that of its settings alone.
    """
    template = "@" if unit.get("instantiated") else ""
    secrets = [f"/etc/quartet/secrets/{file}" for file in unit.get("credentials", {}).values()]
    certificates = [f"/etc/quartet/pki/{file}" for file in unit.get("certificates", {}).values()]
    return [
        {
            "name": f"{unit['name']}{template}{instance['name'] if template else ''}.service",
            "inputs": [
                f"/opt/quartet/{app}/current",
                f"/etc/systemd/system/{unit['name']}{template}.service",
                f"/etc/quartet/{app}/{instance['name']}.json",
                "/etc/quartet/pki/ca.crt",
                *secrets,
                *certificates,
            ],
        }
        for instance in instances
    ]


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"app_units": app_units}
