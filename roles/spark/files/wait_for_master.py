"""Wait until a worker may start: wait_for_master.py spark://ADDRESS:PORT [URL of the master's page, where it is on this VM].

A master that starts greets the workers which it remembers, at the ports they had. A worker that listens there before it has
registered takes the greeting for its registration; the master never knows it, and no job gets a core.
"""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.request

WAIT_SECONDS = 180
# Where only the port can be seen: from the port's opening to the greeting pass one or two seconds
GREETING_SECONDS = 10


def reason_to_wait(address: str, page: str | None) -> str | None:
    """Return what the master is not yet ready for."""
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        if page:
            with urllib.request.urlopen(page, timeout=5) as answer:  # noqa: S310 - the role names it
                status = json.load(answer)["status"]
            # in every later state the greetings are out
            return "it has not begun yet" if status == "STANDBY" else None
    except (OSError, ValueError, KeyError) as error:
        return str(error)
    return None


def main() -> int:
    """Wait; 1 after WAIT_SECONDS, and systemd begins again."""
    address, page = sys.argv[1].removeprefix("spark://").split(",")[0], (sys.argv[2:] or [None])[0]
    end = time.monotonic() + WAIT_SECONDS
    waited = False
    while (reason := reason_to_wait(address, page)) is not None:
        if not waited:
            print(f"waiting for Spark's master at {address}: {reason}", flush=True)
            waited = True
        if time.monotonic() > end:
            print(f"Spark's master at {address} does not answer: {reason}; look at spark-master.service there", file=sys.stderr)
            return 1
        time.sleep(0.5)
    if waited and not page:
        time.sleep(GREETING_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
