"""The console's real server over TLS on loopback, in a thread, with readers that a test gives it."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from default_names import COLLECTIONS, GROUPS, MODEL, TOPICS
from quartet.console.app import listening, serve
from quartet.console.board import Board
from quartet.console.web import Web
from quartet.runtime.errors import ExitCode
from quartet.runtime.settings import ConsoleSettings, Kafka, MongoDB
from tls_server import Authority

PASSWORD = "a password of a test"


def hashed(password: str = PASSWORD) -> str:
    """Return a cheap hash of the form that the role writes."""
    salt = bytes(16)
    return f"scrypt$1024$8$1${salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, n=1024, r=8, p=1, dklen=32).hex()}"


def console_settings(**changes: Any) -> ConsoleSettings:
    return ConsoleSettings(
        **{
            "kafka": Kafka(bootstrap_servers=["10.77.0.13:9093"], user="console", ca_file="/etc/quartet/pki/ca.crt"),
            "mongodb": MongoDB(hosts=["10.77.0.11:27017"], user="console", ca_file="/etc/quartet/pki/ca.crt"),
            "topics": TOPICS,
            "collections": COLLECTIONS,
            "groups": GROUPS,
            "model": MODEL,
            "address": "127.0.0.1",
            "port": 8443,
            "monitoring": "full",
            "prometheus_url": "http://127.0.0.1:9090",
        }
        | changes
    )


class Process:
    """What the server needs of the process that runs it."""

    stopping = False
    fed = 0

    def feed_watchdog(self) -> None:
        self.fed += 1

    def status(self, text: str, *, now: bool = False) -> None:
        self.text = text

    def sleep(self, seconds: float) -> None:
        raise AssertionError("the console does not sleep")


class Client:
    """A client of a console, without a browser."""

    def __init__(self, port: int, authority: Authority) -> None:
        self.port = port
        self._trust = ssl.create_default_context(cafile=str(authority.file))

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self._trust, timeout=15)

    def ask(self, path: str, cookie: str = "", form: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of an answer; a form is posted."""
        connection = self.connect()
        headers = {"Cookie": cookie} if cookie else {}
        if form is None:
            connection.request("GET", path, headers=headers)
        else:
            connection.request("POST", path, urlencode(form), headers | {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def log_in(self, password: str = PASSWORD) -> str:
        """Return the session's cookie."""
        status, headers, _ = self.ask("/login", form={"user": "viewer", "password": password})
        assert status == 303, status
        return headers["set-cookie"].split(";")[0]


class RunningConsole(Client):
    """A console that serves in a thread: `url`, `board`, `host`; `code` is how it ended."""

    def __init__(self, folder: Path, sources: Any, *, metrics: bool = True, port: int = 0) -> None:
        folder.mkdir(exist_ok=True)
        authority = Authority(folder / "ca")
        super().__init__(port, authority)
        self.certificate = str(authority.issue())
        settings = console_settings(monitoring="full" if metrics else "none")
        self.board = Board(settings, sources, sources, sources if metrics else None)
        self.host = Process()
        self.code: ExitCode | None = None
        self._listening = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        assert self._listening.wait(10)
        self.url = f"https://127.0.0.1:{self.port}"

    def _run(self) -> None:
        with listening("127.0.0.1", self.port) as listener:
            self.port = listener.getsockname()[1]
            self._listening.set()
            self.code = asyncio.run(serve(self.board, Web(self.board, hashed()), listener, self.certificate, self.host))

    def stop(self) -> float:
        """Stop as on SIGTERM, and return how long it took."""
        begin = time.monotonic()
        self.host.stopping = True
        self.thread.join(30)
        return time.monotonic() - begin


@contextmanager
def running_console(folder: Path, sources: Any, *, metrics: bool = True) -> Iterator[RunningConsole]:
    console = RunningConsole(folder, sources, metrics=metrics)
    try:
        yield console
    finally:
        console.stop()
