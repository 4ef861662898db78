"""The version is defined only in vm_apps/src/quartet/runtime/version.py, and is the newest dated release of the CHANGELOG."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from quartet.runtime.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


def test_the_changelogs_newest_release_is_the_version() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    releases = [heading for heading in headings if heading != "Unreleased"]
    found = [re.fullmatch(r"(\d+\.\d+\.\d+) - (\d{4}-\d{2}-\d{2})", heading) for heading in releases]
    assert all(found), f"a release is `## 1.2.3 - 2026-11-26`: {releases}"
    assert found[0] and found[0][1] == VERSION
    days = [match[2] for match in found if match]
    assert days == sorted(days, reverse=True)


def test_the_package_takes_its_version_from_there() -> None:
    project = tomllib.loads((ROOT / "vm_apps/pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "quartet.runtime.version.VERSION"}
