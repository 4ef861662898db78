"""One operation at a time on an inventory, and a record of each: <inventory>/.operations/.

operation.py begin FOLDER VERB     takes the lock, or names the operation that has it
operation.py end FOLDER SUMMARY    writes the result into the record and gives the lock back

The lock belongs to the ansible-playbook that runs this: it ends with that process, so an interrupted operation can be run again at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Begin or end an operation."""
    action, folder, text = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "mutex").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        (begin if action == "begin" else end)(folder, text)


def begin(folder: Path, verb: str) -> None:
    """Take the lock for the playbook that runs this, or exit with the name of the operation that has it."""
    lock = folder / "lock.json"
    owner = playbook()
    if lock.exists():
        running = json.loads(lock.read_text())
        if alive(running["owner"]) and running["owner"] != owner:
            since = time.strftime("%H:%M:%S", time.localtime(running["began_at"]))
            sys.exit(
                f"{running['verb']} is at work on this inventory since {since} (process {running['owner'][0]}): wait until it has ended"
            )
        if running["owner"] != owner:
            write(record(folder, running), running | {"result": "interrupted"})
    write(lock, {"verb": verb, "began_at": time.time(), "owner": owner})


def end(folder: Path, summary: str) -> None:
    """Record the result and give the lock back."""
    lock = folder / "lock.json"
    running = json.loads(lock.read_text())
    write(record(folder, running), running | {"result": "done", "ended_at": time.time(), "summary": summary})
    lock.unlink()
    print(running["verb"])


def record(folder: Path, running: dict[str, Any]) -> Path:
    """Return the file of an operation's record."""
    return folder / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(running['began_at']))}-{running['verb']}.json"


def write(file: Path, content: dict[str, Any]) -> None:
    """Replace a file by its new content."""
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    temporary.rename(file)


def playbook() -> list[int]:
    """Return process id and start time of the outermost ancestor that is an ansible-playbook; without one, of the parent."""
    found = [os.getppid(), started(os.getppid())]
    pid = os.getppid()
    while pid > 1:
        if b"ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_bytes():
            found = [pid, started(pid)]
        pid = int(stat(pid)[1])
    return found


def alive(owner: list[int]) -> bool:
    """Return whether a process is still there; another one may have got its id."""
    try:
        return started(owner[0]) == owner[1]
    except OSError:
        return False


def started(pid: int) -> int:
    """Return when a process started, in ticks since the boot."""
    return int(stat(pid)[19])


def stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the command's name, which may have spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


main()
