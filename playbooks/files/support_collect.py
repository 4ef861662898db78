"""Collects on a VM what helps to find a fault, from a list of what may be collected, and writes it as a tar archive.

support_collect.py FILE UNIT...   FILE: the archive to write. UNIT: names of units, with wildcards

Every item has a limit of seconds and of bytes; what is cut, failed or is missing is said in its place and in manifest.json.
Nothing of /etc/quartet/secrets or of a private key is read. Runs with the Python of Debian alone.
"""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

SECONDS = 20
BYTES = 2_000_000
PROPERTIES = (
    "Id,ActiveState,SubState,Result,StatusText,NRestarts,ExecMainStatus,ExecMainStartTimestamp,ActiveEnterTimestamp,"
    "MemoryCurrent,MemoryMax,MemoryPeak,CPUUsageNSec,TasksCurrent,UnitFileState"
)
#: Files of settings; passwords are in files of their own, which these name
SETTINGS = ("/etc/quartet/*/*.json", "/etc/quartet/*/*.properties", "/etc/quartet/*/*.conf", "/etc/quartet/*/*.yml", "/etc/mongod.conf")
AUDITOR = "/etc/quartet/spark_jobs/auditor.json"


def commands(units: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of an item and the command whose output it is."""
    patterns = [f"--unit={unit}" for unit in units]
    yield "system/release", ["sh", "-c", "uname -a; cat /etc/os-release; uptime; date --utc"]
    yield "system/memory", ["free", "--mebi"]
    yield "system/disk", ["df", "--human-readable", "--exclude-type=tmpfs"]
    yield "system/inodes", ["df", "--inodes", "--exclude-type=tmpfs"]
    yield "system/clock", ["timedatectl", "show"]
    yield "system/kernel", ["journalctl", "--no-pager", "--dmesg", "--since=-1h", "--lines=500"]
    yield "system/packages", ["dpkg-query", "--show", "*jre*", "mongodb*", "prometheus*", "nftables", "systemd", "python3"]
    yield "system/processes", ["ps", "-e", "-o", "user:20,pid,etimes,rss,pcpu,comm", "--sort=-rss"]
    yield "system/ports", ["ss", "--no-header", "--listening", "--tcp", "--numeric", "--processes"]
    yield "system/firewall", ["nft", "list", "table", "inet", "quartet"]
    yield "quartet/releases", ["sh", "-c", "ls -l --time-style=long-iso /opt/quartet /opt/quartet/*/current"]
    yield "quartet/folders", ["sh", "-c", "du -sh /var/lib/quartet* /var/lib/kafka /var/lib/mongodb /opt/quartet 2> /dev/null"]
    yield (
        "quartet/certificates",
        ["sh", "-c", "for file in /etc/quartet/pki/*.crt; do echo $file; openssl x509 -noout -subject -dates -in $file; done"],
    )
    yield "units/list", ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", *units]
    yield "units/timers", ["systemctl", "list-timers", "--all", "--no-pager", "quartet-*"]
    yield "units/state", ["systemctl", "show", "--no-pager", f"--property={PROPERTIES}", *units]
    yield "units/journal", ["journalctl", "--no-pager", "--output=short-iso", "--since=-1h", "--lines=20000", *patterns]
    if Path(AUDITOR).exists():
        yield "quartet/status.json", ["quartet", "status", f"--config={AUDITOR}", "--json"]


def output(command: list[str]) -> tuple[bytes, str]:
    """Return what a command prints, its newest bytes if they are too many, and what is wrong with it, or nothing."""
    try:
        result = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        return error.stdout or b"", f"stopped after {SECONDS} s"
    except OSError as error:
        return b"", str(error)
    problem = f"status {result.returncode}" if result.returncode else ""
    if len(result.stdout) > BYTES:
        return result.stdout[-BYTES:], f"cut to the last {BYTES} bytes"
    return result.stdout, problem


def items(units: list[str]) -> Iterator[tuple[str, bytes, str]]:
    """Yield name, content and problem of each item."""
    for name, command in commands(units):
        yield name, *output(command)
    for pattern in SETTINGS:
        for path in sorted(Path("/").glob(pattern.lstrip("/"))):
            if path.is_file() and path.stat().st_size <= BYTES:
                yield f"settings{path}", path.read_bytes(), ""
    verdict = Path("/var/lib/quartet-audit/verify.json")
    if verdict.exists():
        yield "quartet/verify.json", verdict.read_bytes()[:BYTES], ""


def main() -> None:
    """Write the archive."""
    archive, units = Path(sys.argv[1]), sys.argv[2:]
    host, now, rows = socket.gethostname(), time.time(), []
    with tarfile.open(archive, "w:gz") as tar:
        for name, content, problem in items(units):
            rows.append({"name": name, "bytes": len(content), "problem": problem})
            add(tar, f"{host}/{name}", content, now)
        add(tar, f"{host}/manifest.json", json.dumps({"host": host, "collected_at": now, "items": rows}, indent=1).encode(), now)


def add(tar: tarfile.TarFile, name: str, content: bytes, when: float) -> None:
    """Put a file into the archive."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o600, when
    tar.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    main()
