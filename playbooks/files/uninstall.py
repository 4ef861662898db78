"""Removes from a VM what the roles installed, by the manifests that they leave in /etc/quartet/manifest.d.

uninstall.py plan            prints what would be removed and what kept
uninstall.py keep-data       removes all but data and their owners; what is kept is in manifest.d/kept.json, for site.yml or a later purge
uninstall.py purge           removes data and users too

Prints one line for each thing. Runs again after an interruption: what is gone is no error. Runs with the Python of Debian alone.
"""

from __future__ import annotations

import json
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

MANIFESTS = Path("/etc/quartet/manifest.d")
KEPT = MANIFESTS / "kept.json"
UNITS = Path("/etc/systemd/system")
STATE = Path("/var/lib/quartet")
#: Packages that were not there before a role installed them, with what they needed (base: packages_install)
PACKAGES = STATE / "installed-packages"
#: Says to the role mongodb that the kept database has its first user
FIRST_USER = STATE / "started/mongod-admin"
#: Whatever is elsewhere is data
INSTALLED = ("/etc/", "/opt/", "/usr/", "/var/cache/")
FIREWALL = "quartet-firewall.service"
CERTIFICATES = "/usr/local/share/ca-certificates/"


def run(*command: str, check: bool = True) -> str:
    """Run a command and return what it prints."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if check and result.returncode:
        sys.exit(f"{' '.join(command)} ended with {result.returncode}: {(result.stderr or result.stdout).strip()}")
    return result.stdout


class Found:
    """What the manifests of this VM name."""

    def __init__(self) -> None:
        """Read the manifests."""
        rows = [json.loads(file.read_text()) for file in sorted(MANIFESTS.glob("*.json"))]

        def named(kind: str) -> list[str]:
            return sorted({name for row in rows for name in row[kind]})

        self.units, self.users = named("units"), [name for name in named("users") if exists(name)]
        paths = [path for path in named("paths") if Path(path).exists() or Path(path).is_symlink()]
        self.installed = [path for path in paths if path.startswith(INSTALLED)]
        self.data = [path for path in paths if not path.startswith(INSTALLED)]
        self.packages = removable(PACKAGES.read_text().split() if PACKAGES.exists() else [])


def exists(user: str) -> bool:
    """Return whether this VM has a user."""
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def removable(packages: Iterable[str]) -> list[str]:
    """Return those of our packages whose removal takes no other package with it."""
    ours = {name for name in packages if "ok installed" in run("dpkg-query", "--show", "--showformat=${Status}", name, check=False)}

    def taken(names: Iterable[str]) -> set[str]:
        plan = run("apt-get", "--simulate", "--quiet=2", "purge", *names, check=False)
        return {line.split()[1] for line in plan.splitlines() if re.match(r"(Purg|Remv) ", line)}

    left = set(ours)
    while left and (needed := taken(sorted(left)) - left):
        drop = {name for name in left if taken([name]) & needed}
        left -= drop or left
    return sorted(left)


def size(path: str) -> str:
    """Return the size of a folder as people read it."""
    return run("du", "--summarize", "--human-readable", path, check=False).split("\t")[0] or "?"


def stop(units: list[str]) -> None:
    """Stop and disable the units, first the apps, and remove their files."""
    order = sorted((unit for unit in units if unit != FIREWALL), key=lambda unit: (not unit.startswith("quartet-"), unit))
    for unit in order:
        run("systemctl", "disable", "--now", unit, check=False)
    for unit in order:
        template = re.sub(r"@.*\.", "@.", unit)
        for name in {unit, template}:
            (UNITS / name).unlink(missing_ok=True)
            shutil.rmtree(UNITS / f"{name}.d", ignore_errors=True)
    # after those that would start it again
    if FIREWALL in units:
        run("systemctl", "disable", "--now", FIREWALL, check=False)
        (UNITS / FIREWALL).unlink(missing_ok=True)
        (UNITS / "nftables.service.d/quartet.conf").unlink(missing_ok=True)
    for folder in UNITS.glob("*.d"):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    run("systemctl", "daemon-reload")
    run("systemctl", "reset-failed", check=False)
    print(f"removed the units {', '.join(units)}")


def remove(path: str) -> None:
    """Remove a file, a link or a folder, and say so."""
    if Path(path).is_symlink() or Path(path).is_file():
        Path(path).unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
    print(f"removed {path}")


def uninstall(found: Found, *, purge: bool) -> None:
    """Remove what was found; the manifests go last, as an interrupted run needs them again."""
    stop(found.units)
    for path in found.installed:
        if path not in ("/etc/quartet", "/opt/quartet"):
            remove(path)
    if purge:
        for path in found.data:
            remove(path)
        for user in found.users:
            run("userdel", user)
            print(f"removed the user {user}")
    if found.packages:
        run("apt-get", "--quiet=2", "--assume-yes", "purge", *found.packages)
        print(f"removed the packages {', '.join(found.packages)}")
    if any(path.startswith(CERTIFICATES) for path in found.installed):
        run("update-ca-certificates", "--fresh")
    remove("/opt/quartet")
    if purge:
        remove(str(STATE))
        remove("/etc/quartet")
        return
    keep(found)


def keep(found: Found) -> None:
    """Leave what a later site.yml or purge needs, and nothing else."""
    for folder in (STATE, Path("/etc/quartet")):
        for entry in sorted(folder.iterdir() if folder.is_dir() else []):
            if entry not in (MANIFESTS, Path("/etc/quartet/inventory-id"), FIRST_USER.parent):
                remove(str(entry))
    for entry in FIRST_USER.parent.iterdir() if FIRST_USER.parent.is_dir() else []:
        if entry != FIRST_USER:
            entry.unlink()
    KEPT.write_text(json.dumps({"paths": found.data, "users": found.users, "units": [], "packages": []}, indent=1) + "\n")
    for file in MANIFESTS.glob("*.json"):
        if file != KEPT:
            file.unlink()


def main() -> None:
    """Do what the command line says."""
    action = sys.argv[1]
    if not MANIFESTS.is_dir():
        print("nothing of Quartet is installed here")
        return
    found, purge = Found(), "purge" in sys.argv[1:]
    if action == "plan":
        print(f"would remove the units {', '.join(found.units) or '-'}")
        print(f"would remove {', '.join(found.installed) or '-'}")
        print(f"would remove the packages {', '.join(found.packages) or '-'}")
        print(f"would {'remove' if purge else 'keep'} the users {', '.join(found.users) or '-'}")
        for path in found.data:
            print(f"would {'remove' if purge else 'keep'} {path} ({size(path)})")
        return
    uninstall(found, purge=purge)
    if not purge:
        print("\n".join(f"kept {path} ({size(path)})" for path in found.data))
        print(f"kept the users {', '.join(found.users)}")


if __name__ == "__main__":
    main()
