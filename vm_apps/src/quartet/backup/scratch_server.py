"""A MongoDB server of its own for a drill: data of its own, reachable only through a Unix socket in a private folder."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pymongo
from pymongo import errors as mongo_errors

from quartet.runtime.errors import ExitCode, QuartetError

Client = pymongo.MongoClient[dict[str, Any]]

_START_SECONDS: Final = 120
_STOP_SECONDS: Final = 60


class ScratchServer:
    """A running server. Until the first user is created, whoever reaches the socket is its administrator."""

    def __init__(self, socket: Path) -> None:
        self._address = quote(str(socket), safe="")

    def connect(self, user: str | None = None, password: str = "") -> Client:
        """Return a client of a user of the database admin, or of nobody."""
        login = "" if user is None else f"{quote(user, safe='')}:{quote(password, safe='')}@"
        return pymongo.MongoClient(
            f"mongodb://{login}{self._address}", authSource="admin", w=1, journal=True, serverSelectionTimeoutMS=2000
        )


def server_version(program: str) -> str:
    """Return the version that a mongod program says it is.

    Raises:
        QuartetError: CONFIGURATION, there is no such program.
    """
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise QuartetError(ExitCode.CONFIGURATION, f"cannot run MongoDB's server: {error}") from None
    return said.split("db version v", 1)[-1].split("\n", 1)[0].strip()


@contextmanager
def scratch_server(program: str, directory: str | Path) -> Iterator[ScratchServer]:
    """Run a server whose data is in `directory`, and remove all of it afterwards.

    Raises:
        QuartetError: FAILED, the server does not start.
    """
    folder = Path(directory)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(mode=0o700, parents=True)
    socket, log = folder / "mongod.sock", folder / "mongod.log"
    command = [program, "--dbpath", str(folder / "data"), "--bind_ip", str(socket), "--nounixsocket", "--auth"]
    command += ["--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false"]
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)  # noqa: S603
        try:
            server = ScratchServer(socket)
            _wait_until_ready(server, process, log)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(server: ScratchServer, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    with server.connect() as client:
        while True:
            try:
                client.admin.command("ping")
            except mongo_errors.PyMongoError as error:
                if process.poll() is None and time.monotonic() < end:
                    continue
                last = log.read_text(errors="replace").splitlines()[-3:]
                message = (
                    f"the server of the drill does not start (status {process.poll()}): {error}; its log ends with {' '.join(last)[-600:]}"
                )
                raise QuartetError(ExitCode.FAILED, message) from None
            return
