"""Builds wheels of Python projects, once per content, and prints their paths, one per line.

build_wheels.py CACHE PROJECT...

The version includes a digest of the sources, so an installed package identifies them. Runs on the controller.
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


def files_of(project: Path) -> list[Path]:
    """Return the source files of the wheel, in a fixed order: pyproject.toml, scripts beside it, and the packages in src."""
    packages = [
        path for path in project.glob("src/**/*") if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
    ]
    return [project / "pyproject.toml", *sorted([*project.glob("*.py"), *packages])]


def digest(project: Path) -> str:
    """Return a digest of the names and contents of the source files."""
    total = hashlib.sha256()
    for path in files_of(project):
        total.update(f"{path.relative_to(project)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]


def build(project: Path, folder: Path) -> None:
    """Build the wheel into a folder, from a copy of the project with the digest in its version."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "project")
        for path in files_of(project):
            target = copy / path.relative_to(project)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        # the apps print their version, so theirs is in a module; other projects have it in pyproject.toml
        for path in (copy / "pyproject.toml", *copy.glob("src/*/runtime/version.py")):
            path.write_text(re.sub(r'(?mi)^(version = "[^"+]*)', rf"\1+{digest(project)}", path.read_text()))
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
        subprocess.run([*command, f"--wheel-dir={scratch}/wheels", str(copy)], check=True, stdout=sys.stderr)
        folder.mkdir()
        for wheel in Path(scratch, "wheels").iterdir():
            shutil.copyfile(wheel, folder / wheel.name)


def main() -> None:
    """Build the missing wheels, and print the paths of all."""
    cache, projects = Path(sys.argv[1]), [Path(path).resolve() for path in sys.argv[2:]]
    wheels = cache / "quartet"
    wheels.mkdir(parents=True, exist_ok=True)
    with (wheels / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for project in projects:
            folder = wheels / digest(project)
            if not list(folder.glob("*.whl")):
                shutil.rmtree(folder, ignore_errors=True)
                build(project, folder)
            print(next(folder.glob("*.whl")))


main()
