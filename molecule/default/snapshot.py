"""Prints what a VM has, a line for each thing: files, users, groups, units, sockets, packages, firewall rules."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("/etc", "/opt", "/root", "/home", "/srv", "/usr/local", "/var/lib", "/var/cache", "/var/spool", "/var/backups")
#: What a machine writes by itself: package lists and their caches, indexes, the state of systemd and of Ansible
BY_ITSELF = (
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/cache/apt",
    "/var/cache/debconf",
    "/var/cache/ldconfig",
    "/var/cache/quartet",
    "/var/lib/systemd",
    "/etc/ld.so.cache",
    "/etc/.pwd.lock",
    "/etc/passwd-",
    "/etc/group-",
    "/etc/shadow-",
    "/etc/gshadow-",
    "/root/.ansible",
    "/home/vagrant/.ansible",
)


def files() -> Iterator[str]:
    for top in FOLDERS:
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if not f"{folder}/{name}".startswith(BY_ITSELF)]
            for path in (Path(folder, name) for name in [*folders, *names]):
                if str(path).startswith(BY_ITSELF):
                    continue
                state = path.lstat()
                content = hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() and top == "/etc" else "-"
                yield f"file {path} {state.st_mode:o} {state.st_uid} {state.st_gid} {content}"


def output(kind: str, *command: str) -> Iterator[str]:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # nft, before the installation
        return
    yield from (f"{kind} {' '.join(line.split())}" for line in result.stdout.splitlines())


def main() -> None:
    lines = [*files()]
    lines += output("user", "getent", "passwd")
    lines += output("group", "getent", "group")
    lines += output("unit", "systemctl", "list-unit-files", "--no-legend", "--no-pager")
    lines += (f"socket {line.split()[4]}" for line in output("socket", "ss", "-Hltn"))
    lines += output("package", "dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n")
    lines += output("rule", "nft", "list", "ruleset")
    print("\n".join(sorted(set(lines))))


if __name__ == "__main__":
    main()
