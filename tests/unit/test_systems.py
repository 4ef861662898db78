"""The systems on which a VM may run are one list (roles/base/vars/main.yml); whatever else names them names the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from role_modules import load_file

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = yaml.safe_load((ROOT / "roles/base/vars/main.yml").read_text())["_base_systems"]
DEBIANS = {row["name"].split()[1]: row for row in SYSTEMS if row["name"].startswith("Debian")}


@pytest.mark.parametrize("file", sorted(ROOT.glob("roles/*/meta/main.yml")), ids=lambda path: path.parts[-3])
def test_galaxy_shows_them(file: Path) -> None:
    platforms = yaml.safe_load(file.read_text())["galaxy_info"]["platforms"]
    shown = [(row["name"], version) for row in platforms for version in row["versions"]]
    assert shown == [(row["name"].split()[0], row["codename"]) for row in SYSTEMS]


def test_the_lab_makes_machines_of_each_debian() -> None:
    cache = load_file(ROOT / "lab/cache", "cache")
    assert {debian: row["python"] for debian, row in DEBIANS.items()} == cache.PYTHONS
    for debian, row in DEBIANS.items():
        name = subprocess.check_output([ROOT / "lab/box", "name"], text=True, env={**os.environ, "QUARTET_DEBIAN": debian})
        assert name.startswith(f"quartet-debian{debian}-")
        assert f"{debian}) suite={row['codename']} ;;" in (ROOT / "lab/box").read_text()


def test_the_readme_says_which_are_tested() -> None:
    limits = (ROOT / "README.md").read_text().partition("## Limits")[2]
    tested, declared = (next(line for line in limits.splitlines() if line.startswith(f"| {word}")) for word in ("tested", "declared"))
    for row in SYSTEMS:
        assert row["name"] in (tested if row["tested"] else declared), row["name"]
