"""Downloads are kept where this user may write, by one rule for the playbooks, the roles and the lab."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULE = ROOT / "roles/base/files/download_cache.sh"
# root may write everywhere
OTHER_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user reaches, as those of pytest are the user's alone."""
    place = Path(tempfile.mkdtemp(prefix="quartet cache "))
    place.chmod(0o755)
    (place / "shared").mkdir()
    yield place
    for path in place.rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(place)


def rule(shared: Path, *, root: bool = False, **environment: str) -> str:
    """Return the cache that the rule names, to another user than the one who owns `shared`."""
    result = subprocess.run(
        [*([] if root else OTHER_USER), "sh", "-s", "--", str(shared)],
        input=RULE.read_text(),
        env={"PATH": os.environ["PATH"], "HOME": "/home/one", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.removesuffix("\n")


def test_who_may_not_write_in_the_shared_folder_has_one_of_his_own(folder: Path) -> None:
    for place in (folder / "shared", folder / "shared/not/there"):
        (folder / "shared").chmod(0o555)
        assert rule(place) == "/home/one/.cache/quartet"
        assert rule(place, XDG_CACHE_HOME="/home/one/big disk") == "/home/one/big disk/quartet"
        assert rule(place, XDG_CACHE_HOME="relative") == "/home/one/.cache/quartet"
        assert rule(place, QUARTET_CACHE="/srv/my cache") == "/srv/my cache"


def test_who_may_write_there_or_make_it_shares_it(folder: Path) -> None:
    (folder / "shared").chmod(0o777)
    for place in (folder / "shared", folder / "shared/not/there"):
        assert rule(place) == str(place)
    assert not (folder / "shared/not").exists()


def test_a_folder_in_it_that_root_made_is_not_written(folder: Path) -> None:
    (folder / "shared/jars").mkdir()
    (folder / "shared").chmod(0o777)
    (folder / "shared/jars").chmod(0o555)
    assert rule(folder / "shared") == "/home/one/.cache/quartet"


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_root_shares_it(folder: Path) -> None:
    (folder / "shared").chmod(0o555)
    assert rule(folder / "shared", root=True) == str(folder / "shared")


def asked(folder: Path, variable: str, *arguments: str) -> str:
    """Return what Ansible makes of a variable where QUARTET_CACHE names a folder of the test."""
    output = subprocess.check_output(
        [Path(sys.executable).parent / "ansible", *arguments, "-m", "debug", "-a", f"var={variable}"],
        cwd=ROOT,
        text=True,
        env={**os.environ, "QUARTET_CACHE": str(folder), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
    )
    value: str = json.loads(output[output.index("{") :])[variable]
    return value


def test_playbooks_follow_the_rule(folder: Path) -> None:
    assert asked(folder, "quartet_download_cache", "vm1", "-i", "inventory/cloud", "--playbook-dir=playbooks") == str(folder)


@pytest.mark.parametrize(("role", "variable"), [("app", "app_download_cache"), ("java", "java_jars_cache")])
def test_a_role_alone_follows_it_too(folder: Path, role: str, variable: str) -> None:
    words = [
        "localhost",
        "-c",
        "local",
        "-e",
        f"@roles/{role}/defaults/main.yml",
        "-e",
        json.dumps({"role_path": str(ROOT / "roles" / role)}),
    ]
    assert asked(folder, variable, *words) == str(folder)


def test_nothing_in_the_lab_has_a_rule_of_its_own() -> None:
    """The folder's name stands there only as the one inside a machine, which is always the same."""
    named = [
        (path.name, line.strip())
        for path in (ROOT / "lab").iterdir()
        if path.is_file()
        for line in path.read_text().splitlines()
        if "QUARTET_CACHE" in line or "var/cache/quartet" in line
    ]
    assert [row for row in named if "CACHE_IN_GUEST" not in row[1] and "set QUARTET_CACHE" not in row[1]] == []
