"""What Vagrant and Ansible read of this checkout, for tests that run them elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = (
    "Vagrantfile",
    "ansible.cfg",
    "inventory/lab/hosts.yml",
    "lab/box",
    "lab/machine.rb",
    "lab/obstacles.rb",
    "roles/base/files/download_cache.sh",
)


def copy_checkout(folder: Path) -> None:
    """Copy those files into a folder, each at its path."""
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
