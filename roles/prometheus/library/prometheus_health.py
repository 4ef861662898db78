#!/usr/bin/python
"""Checks that Prometheus scrapes its targets and evaluates its rules, and that it reaches Alertmanager. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_health
short_description: Check that Prometheus and Alertmanager are healthy
description:
  - Asks Prometheus for its targets, its rules and its Alertmanager, and reports what is wrong. Repeats that until nothing is wrong or the
    timeout has passed.
options:
  address: {type: str, default: "127.0.0.1:9090", description: Address and port of Prometheus}
  targets: {type: list, elements: str, required: true, description: Addresses and ports that must be scraped}
  rule_files: {type: list, elements: str, required: true, description: Names of the rule files that must be loaded}
  timeout: {type: int, default: 60, description: Seconds to wait until nothing is wrong}
author: Quartet
"""

EXAMPLES = r"""
- name: Check that Prometheus is healthy
  prometheus_health:
    targets: ["192.0.2.1:9100"]
    rule_files: [running.yml]
"""

RETURN = r"""
targets: {description: Number of targets that are scraped, type: int, returned: success}
rules: {description: Number of rules that are evaluated, type: int, returned: success}
"""

import json
import time
import urllib.request
from typing import Any

from ansible.module_utils.basic import AnsibleModule


def ask(address: str, what: str) -> Any:
    """Return the data of an answer of Prometheus' API."""
    with urllib.request.urlopen(f"http://{address}/api/v1/{what}", timeout=10) as answer:
        return json.load(answer)["data"]


def unscraped(targets: list[dict[str, Any]], wanted: list[str]) -> list[str]:
    """Return the problems of the targets that must be scraped."""
    found = {target["labels"]["instance"]: target for target in targets}
    problems = [f"{name} is not among the targets" for name in wanted if name not in found]
    return problems + [
        f"{found[name]['labels']['job']} at {name} is {found[name]['health']}: {found[name]['lastError'] or 'not scraped yet'}"
        for name in wanted
        if name in found and found[name]["health"] != "up"
    ]


def unevaluated(groups: list[dict[str, Any]], files: list[str]) -> list[str]:
    """Return the problems of the rules."""
    loaded = {group["file"].rpartition("/")[2] for group in groups}
    problems = [f"the rules of {name} are not loaded" for name in files if name not in loaded]
    return problems + [
        f"{rule['name']} cannot be evaluated: {rule['lastError']}" for group in groups for rule in group["rules"] if rule["health"] == "err"
    ]


def look(address: str, targets: list[str], files: list[str]) -> tuple[list[str], int, int]:
    """Return the problems, and the numbers of targets and rules."""
    active = ask(address, "targets?state=active")["activeTargets"]
    groups = ask(address, "rules")["groups"]
    problems = unscraped(active, targets) + unevaluated(groups, files)
    if not ask(address, "alertmanagers")["activeAlertmanagers"]:
        problems.append("Prometheus has no Alertmanager, so no alert is delivered")
    problems += [
        f"Alertmanager is {target['health']}: {target['lastError']}"
        for target in active
        if target["labels"]["job"] == "alertmanager" and target["health"] == "down"
    ]
    return problems, len(active), sum(len(group["rules"]) for group in groups)


def main() -> None:
    """Ask until nothing is wrong, or fail with what is."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "default": "127.0.0.1:9090"},
            "targets": {"type": "list", "elements": "str", "required": True},
            "rule_files": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    options = module.params
    end = time.monotonic() + options["timeout"]
    while True:
        try:
            problems, targets, rules = look(options["address"], options["targets"], options["rule_files"])
        except OSError as error:
            problems, targets, rules = [f"Prometheus at {options['address']} does not answer: {error}"], 0, 0
        if not problems:
            module.exit_json(changed=False, targets=targets, rules=rules)
        if time.monotonic() > end:
            module.fail_json(msg=f"After {options['timeout']} s: " + "; ".join(problems))
        time.sleep(2)


if __name__ == "__main__":
    main()
