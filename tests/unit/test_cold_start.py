"""A host that has nothing yet: no box, no downloads, perhaps another Python than the VMs'."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from role_modules import load_file
from vagrant_checkout import copy_checkout

ROOT = Path(__file__).resolve().parents[2]
# Records how it was called; has no box.
VAGRANT = """#!/bin/sh
echo "$PWD ${VAGRANT_CWD:-none} ${VAGRANT_DOTFILE_PATH:-none} $*" >> "$CALLS"
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """lab/cache, on a host whose cache is empty."""
    monkeypatch.setenv("QUARTET_CACHE", str(tmp_path / "cache"))
    return load_file(ROOT / "lab/cache", "cache")


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def test_the_box_is_added_without_molecules_vagrantfile(tmp_path: Path) -> None:
    """Molecule calls lab/box in the folder of a Vagrantfile that cannot be read before the scenario's machines are written down."""
    script(tmp_path / "bin/vagrant", VAGRANT)
    name = subprocess.check_output([ROOT / "lab/box", "name"], text=True).strip()
    (tmp_path / "cache/box").mkdir(parents=True)
    (tmp_path / f"cache/box/{name}.box").touch()
    shared = ROOT / "molecule/shared"
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "QUARTET_CACHE": str(tmp_path / "cache"),
    }
    subprocess.run([ROOT / "lab/box"], cwd=shared, env={**os.environ, **environment, "VAGRANT_CWD": str(shared)}, check=True)
    calls = [line.split(" ", 3) for line in (tmp_path / "calls").read_text().splitlines()]
    assert [words.split()[:2] for *_, words in calls] == [["box", "list"], ["box", "add"]]
    for folder, *settings, words in calls:
        assert settings == ["none", "none"], words
        assert not [place for place in (Path(folder), *Path(folder).parents) if (place / "Vagrantfile").exists()], words


@pytest.mark.skipif(not shutil.which("vagrant"), reason="Vagrant is not installed")
def test_vagrant_up_fills_the_cache_before_a_machine_boots(tmp_path: Path) -> None:
    """The real Vagrant and the real Vagrantfile; what they call is replaced, and the cache's filling ends it there."""
    copy_checkout(tmp_path)
    script(tmp_path / "lab/machine-up", '#!/bin/sh\necho "up $1"\n')
    script(tmp_path / ".venv/bin/ansible-playbook", "#!/bin/sh\n")
    script(tmp_path / ".venv/bin/python", '#!/bin/sh\necho "filled by $1"; exit 1\n')
    environment = {"VAGRANT_CWD": str(tmp_path), "VAGRANT_HOME": str(tmp_path / "home"), "QUARTET_CACHE": str(tmp_path / "cache")}
    result = subprocess.run(
        ["vagrant", "up", "--provider=lxc"],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if "No usable default provider" in result.stderr or "could not be found" in result.stderr:
        pytest.skip("this Vagrant has no lxc provider")
    assert result.returncode != 0
    assert "up quartet-vm1" in result.stdout, result.stdout + result.stderr
    assert f"filled by {tmp_path}/lab/cache" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize(("debian", "python", "tag"), [("", "3.11", "cp311"), ("13", "3.13", "cp313")])
def test_the_wheels_are_those_of_the_machines_python(
    cache: ModuleType, monkeypatch: pytest.MonkeyPatch, debian: str, python: str, tag: str
) -> None:
    """Whatever Python runs lab/cache."""
    monkeypatch.setenv("QUARTET_DEBIAN", debian)
    monkeypatch.setattr(cache.sys, "argv", ["cache"])
    asked: list[list[str]] = []
    monkeypatch.setattr(cache.subprocess, "run", lambda command, **_: asked.append(command))
    assert cache.main() == 0
    assert len(asked) == len(cache.locks())
    assert all({f"--python-version={python}", f"--abi={tag}"} <= set(command) for command in asked)
    assert all(cache.stamp(lock, python).exists() for lock in cache.locks())


def test_another_debian_is_refused(cache: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTET_DEBIAN", "11")
    monkeypatch.setattr(cache.sys, "argv", ["cache"])
    with pytest.raises(SystemExit, match="QUARTET_DEBIAN is '11', and machines are made of Debian 12 or 13"):
        cache.main()
    box = subprocess.run(
        [ROOT / "lab/box", "name"], env={**os.environ, "QUARTET_DEBIAN": "11"}, capture_output=True, text=True, check=False
    )
    assert box.returncode == 2
    assert "QUARTET_DEBIAN is '11', and machines are made of Debian 12 or 13" in box.stderr


@pytest.mark.parametrize(("python", "same"), [("3.11.2", True), ("3.12.3", False)])
def test_the_role_looks_for_the_stamps_that_the_cache_leaves(cache: ModuleType, tmp_path: Path, python: str, same: bool) -> None:
    """And for others on a VM with another Python: then pip asks the index."""
    locks = cache.locks()
    assert len(locks) > 5
    variables = {
        "base_venv_requirements": [str(lock) for lock in locks[1:]],
        "base_venv_build_requirements": str(locks[0]),
        "base_venv_wheelhouse": str(cache.WHEELS),
        "ansible_facts": {"python_version": python},
    }
    (tmp_path / "variables.json").write_text(json.dumps(variables))
    words = ["localhost", "-c", "local", "-m", "debug", "-a", "var=_base_venv_stamps", "-e", "@roles/base/vars/main.yml"]
    output = subprocess.check_output(
        [Path(sys.executable).parent / "ansible", *words, "-e", f"@{tmp_path}/variables.json"],
        cwd=ROOT,
        text=True,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
    )
    stamps = json.loads(output[output.index("{") :])["_base_venv_stamps"]
    assert (stamps == [str(cache.stamp(lock, "3.11")) for lock in [*locks[1:], locks[0]]]) is same
