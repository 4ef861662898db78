"""What the role mongodb sets of a VM's kernel, from what the kernel said and for which series of the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from computed import computed

ROLE = Path(__file__).resolve().parents[2] / "roles/mongodb"


def content() -> str:
    """Return the expression for the content of the file that is applied at every boot, as the task has it."""
    (task,) = [task for task in yaml.safe_load((ROLE / "tasks/kernel.yml").read_text()) if "files" in task]
    (row,) = task["files"]["rows"]
    template = "'kernel.conf.j2'"
    assert template in row["content"]
    return str(row["content"].removeprefix("{{ ").removesuffix(" }}").replace(template, f"'{ROLE}/templates/kernel.conf.j2'"))


def rows(distribution: str, *now: str) -> dict[str, Any]:
    """Return file and value of each row to write, and of those that differ now."""
    given = {
        "mongodb_distribution": distribution,
        "mongodb_version": yaml.safe_load((ROLE / "defaults/main.yml").read_text())["mongodb_version"],
        "_mongodb_kernel_now": {"stdout_lines": [*now, "none"]},
    }
    expression = f"[_mongodb_kernel_rows, _mongodb_kernel_wrong, _mongodb_in_container, {content()}]"
    found = computed("lab", expression, "--limit=vm1", "-e", f"@{ROLE}/vars/main.yml", "-e", json.dumps(given))["vm1"]
    assert found[2] is False
    assert found[3].startswith("# Ansible managed\n")
    assert found[3].splitlines()[1:] == [f"w {row['file']} - - - - {row['value']}" for row in found[0]]
    written, wrong = ({row["file"].rsplit("/", 1)[-1]: row["value"] for row in part} for part in found[:2])
    return {"written": written, "wrong": wrong}


def test_a_server_before_8_0_gets_no_huge_pages() -> None:
    found = rows("pypi", "65530", "60", "madvise")
    assert found["written"] == found["wrong"] == {"max_map_count": 128000, "swappiness": 1, "enabled": "never"}


def test_a_server_since_8_0_gets_huge_pages_and_a_larger_value_stays() -> None:
    found = rows("mongodb_org", "1048576", "1", "always", "madvise", "511", "unknown")
    assert found["written"] == {"swappiness": 1, "enabled": "always", "defrag": "defer+madvise", "max_ptes_none": 0}
    assert found["wrong"] == {"defrag": "defer+madvise", "max_ptes_none": 0}


def test_what_was_set_is_written_again_and_not_wrong() -> None:
    found = rows("pypi", "128000", "1", "never")
    assert found["written"] == {"max_map_count": 128000, "swappiness": 1, "enabled": "never"}
    assert found["wrong"] == {}
