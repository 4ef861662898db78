"""A blank Debian gets what `make lab` and `make test` run from `lab/setup-host` alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What the script finds on a host; everything that could change this one is replaced.
TOOLS = ("bash", "cat", "cut", "dirname", "du", "env", "grep", "id", "install", "mkdir", "realpath", "sh")
# Knows no package before its lists are refreshed.
APT = """#!/bin/sh
echo "$*" >> "$CALLS"
[ "$1" = update ] && : > "$CALLS.lists"
[ -e "$CALLS.lists" ]
"""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host with no package, in which sudo is apt-get's like everything else."""
    stubs = {"apt-get": APT, "dpkg-query": "#!/bin/sh\nexit 1\n", "sudo": '#!/bin/sh\nexec "$@"\n'}
    for folder in ("bin", "checkout/lab", "checkout/roles/base/files"):
        (tmp_path / folder).mkdir(parents=True)
    for name in TOOLS:
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    for name in ("lab/setup-host", "roles/base/files/download_cache.sh"):
        shutil.copy(ROOT / name, tmp_path / "checkout" / name)
    written = {tmp_path / "bin" / name: text for name, text in stubs.items()}
    written[tmp_path / "checkout/lab/promtool"] = '#!/bin/sh\necho "promtool" >> "$CALLS"\n'
    written[tmp_path / "checkout/lab/network"] = '#!/bin/sh\necho "network $*" >> "$CALLS"\n[ "$1" = up ]\n'
    for path, text in written.items():
        path.write_text(text)
        path.chmod(0o755)
    return tmp_path


def set_up(host: Path, *words: str) -> list[str]:
    """Return what the script called, in this order."""
    environment = {"PATH": str(host / "bin"), "CALLS": str(host / "calls"), "QUARTET_CACHE": str(host / "cache"), "HOME": str(host)}
    subprocess.run([host / "checkout/lab/setup-host", *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return (host / "calls").read_text().splitlines()


def packages(line: str) -> set[str]:
    return {word for word in line.split()[1:] if not word.startswith("-")}


def test_lists_are_refreshed_where_they_do_not_do(host: Path) -> None:
    calls = [line for line in set_up(host) if not line.startswith("network status")]
    assert [line.split()[0] for line in calls] == ["install", "update", "install", "network"]
    (host / "calls").unlink()
    assert "update -q" not in set_up(host)


def test_the_tests_get_more_than_the_lab(host: Path) -> None:
    (host / "calls.lists").touch()
    lab = packages(next(line for line in set_up(host) if line.startswith("install")))
    assert "promtool" not in (host / "calls").read_text()
    (host / "calls").unlink()
    everything = packages(next(line for line in set_up(host, "tests") if line.startswith("install")))
    assert "promtool" in (host / "calls").read_text().splitlines()
    hosted = re.search(r"--no-install-recommends\n\s+(.*)", (ROOT / ".github/workflows/fast.yml").read_text())
    assert hosted
    started = re.search(r"^apt-get install (.*?) *#", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert started
    assert {"vagrant", "vagrant-lxc", "lxc"} <= lab < everything
    # what lint and unit tests run, and what phase 4 runs on the host
    assert set(hosted[1].split()) - {"ca-certificates", "python3"} <= everything | set(started[1].split())
    assert {"kcat", "procps"} <= everything


def test_the_emulator_is_installed_for_its_own_tests_alone(host: Path) -> None:
    (host / "calls.lists").touch()
    found = {}
    for word in ("tests", "kernel"):
        found[word] = packages(next(line for line in set_up(host, word) if line.startswith("install")))
        (host / "calls").unlink()
    assert {"qemu-system-x86", "e2fsprogs"} <= found["kernel"]
    assert not {"qemu-system-x86"} & found["tests"]
    assert not {"kcat"} & found["kernel"]
    planned = subprocess.check_output(["make", "--no-print-directory", "--dry-run", "test-kernel"], cwd=ROOT, text=True)
    assert "lab/setup-host kernel\n" in planned


def test_the_hosted_run_is_the_readmes_command() -> None:
    script = (ROOT / ".ci/run").read_text()
    readme = (ROOT / "README.md").read_text()
    started = re.search(r"^apt-get install (.*?) *#", readme, re.MULTILINE)
    installed = re.search(r"--no-install-recommends (.*)$", script, re.MULTILINE)
    assert started
    assert installed
    assert installed[1] == started[1]
    assert script.splitlines()[-1] == "YES=1 make test"
    assert re.search(r"^make test +", readme, re.MULTILINE)


def test_make_test_brings_its_packages_before_it_begins() -> None:
    planned = subprocess.check_output(["make", "--no-print-directory", "--dry-run", "test"], cwd=ROOT, text=True).splitlines()
    assert "lab/setup-host tests" in planned
    assert planned[-1].startswith(".venv/bin/pytest")
