"""Seconds of a second `site.yml` run over the four VMs, and against the same run with Ansible's stock settings."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from benchmarks import lab
from benchmarks.results import Goal, Row, ratios

_RUN = ("ansible-playbook", "-i", "inventory/lab", "site.yml")
_RECAP = re.compile(r"changed=(\d+)")


def measure(arguments: Sequence[str]) -> list[Row]:
    """Time both, one after the other, in each round; before the first, an untimed run makes sure that it is a second one."""
    parser = argparse.ArgumentParser(prog="second_run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-stock", action="store_true", help="skip the run with Ansible's stock settings")
    options = parser.parse_args(arguments)
    lab.project(*_RUN)
    ours: list[float] = []
    stock: list[float] = []
    changed: list[float] = []
    for _ in range(options.rounds):
        seconds, output = lab.project(*_RUN)
        ours.append(seconds)
        changed.append(sum(int(count) for count in _RECAP.findall(output)))
        if not options.without_stock:
            stock.append(lab.project(*_RUN, ANSIBLE_CONFIG="benchmarks/stock.cfg")[0])
    rows = [
        Row("second_run", "seconds of a second site.yml run of four VMs", Goal("<=", 60, " s"), ours),
        Row("second_run", "tasks that a second run reports as changed", Goal("=", 0), changed),
    ]
    if stock:
        sides = {"our settings s": ours, "stock settings s": stock}
        rows.append(
            Row("second_run", "a second run against the same with Ansible's stock settings", Goal("<", 1), ratios(ours, stock), sides)
        )
    return rows
