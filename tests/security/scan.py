"""Which TCP ports of some addresses answer. Runs by itself on any machine with Python: `python3 - ADDRESS... < scan.py`.

A port is open, or refused (the machine says that nothing listens), or it is silent: a firewall drops what comes.
"""

from __future__ import annotations

import errno
import json
import random
import resource
import select
import socket
import sys
import time
from collections import deque

# The kernel sends a second packet after one second, so a lost one is no silence.
SECONDS = 2.2
AT_ONCE = 12_000
PORTS = range(1, 65_536)


def scan(addresses: list[str]) -> dict[str, dict[str, list[int]]]:
    """Try every port of every address; return for each the open and the refused ones."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    at_once = min(AT_ONCE, most - 100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (at_once + 100, most))
    found: dict[str, dict[str, list[int]]] = {address: {"open": [], "refused": []} for address in addresses}
    left = [(address, port) for address in addresses for port in PORTS]
    random.shuffle(left)
    poll = select.epoll()
    waiting: dict[int, tuple[socket.socket, str, int]] = {}
    begun: deque[tuple[float, int, socket.socket]] = deque()

    def end(number: int) -> None:
        made, address, port = waiting.pop(number)
        error = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error in (0, errno.ECONNREFUSED):
            found[address]["refused" if error else "open"].append(port)
        made.close()

    while left or waiting:
        while left and len(waiting) < at_once:
            address, port = left.pop()
            made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            made.setblocking(False)
            made.connect_ex((address, port))
            waiting[made.fileno()] = (made, address, port)
            poll.register(made.fileno(), select.EPOLLOUT)
            begun.append((time.monotonic(), made.fileno(), made))
            if len(begun) % 500 == 0:
                break
        for number, _ in poll.poll(0.02):
            end(number)
        now = time.monotonic()
        while begun and (now - begun[0][0] > SECONDS or begun[0][2].fileno() < 0):
            _, number, made = begun.popleft()
            if made.fileno() >= 0:  # silent; a closed one has ended, and its number may be another's by now
                waiting.pop(number)
                made.close()
    return {address: look_again(address, kinds["open"] + kinds["refused"]) for address, kinds in found.items()}


def look_again(address: str, ports: list[int]) -> dict[str, list[int]]:
    """Try the ports that answered once more, one by one.

    Where two machines scan each other, their packets may meet in the middle, which TCP takes for an answer (simultaneous open).
    """
    found: dict[str, list[int]] = {"open": [], "refused": []}
    for port in sorted(ports):
        try:
            socket.create_connection((address, port), SECONDS).close()
        except ConnectionRefusedError:
            found["refused"].append(port)
        except TimeoutError:
            continue
        else:
            found["open"].append(port)
    return found


if __name__ == "__main__":
    json.dump(scan(sys.argv[1:]), sys.stdout)
