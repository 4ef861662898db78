"""Filters that say what is scraped, and whom a VM must let in for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

#: The ports of what is scraped on each VM of a group, by job. They are those of the roles' settings (tests/unit/test_scrape_targets.py).
PORTS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "db_consumer": ("db_consumer", (9211, 9212)),
    "inference": ("inference", (9221,)),
    "spark_stream": ("spark_jobs", (9240,)),
    "exporter": ("monitor", (9230,)),
    "node": ("quartet", (9100,)),
}
FIRST_PRODUCER_PORT = 9301


def scrape_targets(
    addresses: Mapping[str, str], groups: Mapping[str, Iterable[str]], producers: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[dict[str, str]]:
    """Return the rows {job, host, target} of everything that serves metrics.

    Args:
        addresses: the address of each host, as the other VMs know it.
        groups: the hosts of each group.
        producers: the rows of `quartet_producers` on each host of group producer.
    """
    ports = [
        ("producer", host, row.get("metrics_port", FIRST_PRODUCER_PORT + index))
        for host, rows in producers.items()
        for index, row in enumerate(rows)
    ]
    ports += [(job, host, port) for job, (group, numbers) in PORTS.items() for host in groups.get(group, ()) for port in numbers]
    return [{"job": job, "host": host, "target": f"{addresses[host]}:{port}"} for job, host, port in ports]


def scrape_rows(targets: Iterable[Mapping[str, str]], host: str, sources: Iterable[str]) -> list[dict[str, Any]]:
    """Return the firewall's rows {what, ports, from} of a VM, one for each job that is scraped there."""
    jobs: dict[str, list[str]] = {}
    for row in targets:
        if row["host"] == host:
            jobs.setdefault(row["job"], []).append(row["target"].rpartition(":")[2])
    return [{"what": f"metrics of {job.replace('_', ' ')}", "ports": ports, "from": sorted(sources)} for job, ports in jobs.items()]


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"scrape_targets": scrape_targets, "scrape_rows": scrape_rows}
