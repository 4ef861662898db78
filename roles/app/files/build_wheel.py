"""Builds the wheel of a Python package, once for each content, and prints its path.

build_wheel.py SOURCES CACHE

The version carries a digest of the sources, so that what is installed says what it is. Runs on the controller.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def files_of(sources: Path) -> list[Path]:
    """Return what the wheel is made of, in a fixed order."""
    package = [
        path for path in sources.glob("src/**/*") if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
    ]
    return [sources / "pyproject.toml", *sorted(package)]


def digest(sources: Path) -> str:
    """Return a digest of names and contents."""
    total = hashlib.sha256()
    for path in files_of(sources):
        total.update(f"{path.relative_to(sources)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]


def build(sources: Path, folder: Path) -> None:
    """Build the wheel into a folder, from a copy whose version has the digest added."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "package")
        for path in files_of(sources):
            target = copy / path.relative_to(sources)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        (version,) = copy.glob("src/*/runtime/version.py")
        version.write_text(re.sub(r'(VERSION = "[^"+]*)"', rf'\1+{digest(sources)}"', version.read_text()))
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
        subprocess.run([*command, f"--wheel-dir={scratch}/wheels", str(copy)], check=True, stdout=sys.stderr)
        folder.mkdir()
        for wheel in Path(scratch, "wheels").iterdir():
            shutil.copyfile(wheel, folder / wheel.name)


def main() -> None:
    """Build the wheel unless it is there, and print its path."""
    sources, cache = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    wheels = cache / "quartet"
    wheels.mkdir(parents=True, exist_ok=True)
    folder = wheels / digest(sources)
    with (wheels / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(folder.glob("*.whl")):
            shutil.rmtree(folder, ignore_errors=True)
            build(sources, folder)
    print(next(folder.glob("*.whl")))


main()
