"""The wheels that the role app builds: one per content, named by its digest."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "roles/app/files/build_wheels.py"
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "example"
version = "1"

[tool.setuptools]
packages = ["example"]
package-dir = {example = "src/example"}
py-modules = ["script"]
"""


def wheels(cache: Path, *projects: Path) -> list[Path]:
    """Return the wheels that the role would install."""
    return [Path(line) for line in subprocess.check_output([sys.executable, BUILD, cache, *projects], text=True).splitlines()]


def test_a_wheel_is_built_once_for_each_content(tmp_path: Path) -> None:
    project = tmp_path / "example"
    (project / "src/example").mkdir(parents=True)
    (project / "tests").mkdir()
    for name, text in {"pyproject.toml": PROJECT, "script.py": "A = 1", "src/example/__init__.py": "", "src/example/module.py": ""}.items():
        (project / name).write_text(text)
    built = []
    for changed in ("tests/test_script.py", "script.py", "src/example/module.py"):
        (wheel,) = wheels(tmp_path, project)
        before = wheel.stat().st_mtime_ns
        assert wheels(tmp_path, project, project) == [wheel, wheel]
        assert wheel.stat().st_mtime_ns == before
        assert wheel.name == f"example-1+{wheel.parent.name}-py3-none-any.whl"
        built.append(wheel)
        (project / changed).write_text("B = 2")
    built += wheels(tmp_path, project)
    assert built[0] == built[1]
    assert len(set(built)) == 3
    with zipfile.ZipFile(built[-1]) as archive:
        assert {"script.py", "example/__init__.py", "example/module.py"} <= set(archive.namelist())
        assert archive.read("script.py") == archive.read("example/module.py") == b"B = 2"


def test_the_apps_show_the_digest(tmp_path: Path) -> None:
    (wheel,) = wheels(tmp_path, ROOT / "vm_apps")
    with zipfile.ZipFile(wheel) as archive:
        assert f'+{wheel.parent.name}"' in archive.read("quartet/runtime/version.py").decode()
    assert f"+{wheel.parent.name}-" in wheel.name


def test_sparks_jobs_are_two_commands_and_a_package(tmp_path: Path) -> None:
    (wheel,) = wheels(tmp_path, ROOT / "spark")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (commands,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/entry_points.txt"))
    scripts = {path.name for path in (ROOT / "spark").glob("*.py")}
    assert names == scripts | {f"quartet_spark/{path.name}" for path in (ROOT / "spark/src/quartet_spark").glob("*.py")}
    assert {f"{name.removesuffix('.py')} = {name.removesuffix('.py')}:main" for name in scripts} <= set(commands.splitlines())
