"""The roles' own Ansible modules, loaded as Ansible loads them, and called in this process."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(ROOT.glob("roles/*/library/*.py"))


def load_file(path: Path, name: str) -> ModuleType:
    """Load a Python file that is in no package; a program's has no suffix."""
    spec = importlib.util.spec_from_file_location(name, path, loader=importlib.machinery.SourceFileLoader(name, str(path)))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def load_module(name: str) -> ModuleType:
    """Load a module of a role, with the role's module_utils importable under Ansible's name."""
    (path,) = (path for path in MODULES if path.stem == name)
    for shared in sorted(path.parents[1].glob("module_utils/*.py")):
        full = f"ansible.module_utils.{shared.stem}"
        if full not in sys.modules:
            sys.modules[full] = load_file(shared, full)
    return load_file(path, name)


def call(module: ModuleType, capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    """Run a module's main() and return what it prints for Ansible."""
    with patch_module_args({**arguments, "_ansible_check_mode": check, "_ansible_diff": True}), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result
