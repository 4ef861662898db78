"""Wait until a worker may start: wait_for_master.py spark://ADDRESS:PORT [URL of the master's web page, if the master is on this VM].

A starting master contacts the workers that it remembers, at their former ports. A worker that already listens there without having
registered takes this for its registration; the master does not know it then, and jobs get no cores from it.
"""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.request

WAIT_SECONDS = 180
# Used if only the port can be checked: the master contacts the workers one or two seconds after it opens the port
RECOVERY_SECONDS = 10


def reason_to_wait(address: str, page: str | None) -> str | None:
    """Return why the master is not ready yet; None if it is."""
    host, port = address.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        if page:
            with urllib.request.urlopen(page, timeout=5) as answer:  # noqa: S310 - the role names it
                status = json.load(answer)["status"]
            # in every later state the workers have been contacted
            return "it has not started yet" if status == "STANDBY" else None
    except (OSError, ValueError, KeyError) as error:
        return str(error)
    return None


def main() -> int:
    """Wait until the master is ready; return 1 after WAIT_SECONDS, upon which systemd restarts the unit."""
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
        time.sleep(RECOVERY_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
