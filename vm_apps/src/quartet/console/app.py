"""`quartet console`: serves the live console over TLS until it is asked to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette

from quartet.console.board import Board
from quartet.console.database import Database
from quartet.console.inference_tail import InferenceTail
from quartet.console.poller import Poller
from quartet.console.prometheus_api import PrometheusApi
from quartet.console.web import Web
from quartet.mongodb import client as mongodb_client
from quartet.runtime import settings
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.host import Host
from quartet.runtime.service import Service

log = logging.getLogger(__name__)

#: Every page hears of the tiles this often, whether anything changed or not: silence means that the stream is broken
_TILES_SECONDS: Final = 2.0
_WATCH_SECONDS: Final = 0.25
#: A browser closes at once; a client that does not read would hold the process for so long
_GRACE_SECONDS: Final = 2
#: A reader that did not finish a turn for so long hangs, and the process is started again. Until then its tiles are grey and the others live.
_HANGS_SECONDS: Final = 300.0
_MOST_CONNECTIONS: Final = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the subcommand."""
    parser.add_argument("--config", required=True, metavar="FILE", help="the settings (JSON)")


def run(arguments: argparse.Namespace) -> int:
    """Serve the console until SIGTERM."""
    options = settings.load(settings.ConsoleSettings, arguments.config)
    service = Service()
    client = mongodb_client.connect(options.mongodb, settings.password("mongodb-password"), app="quartet-console")
    board = Board(
        options,
        InferenceTail(options.kafka, settings.password("kafka-password"), options.topics.inferences),
        Database(client, options.collections, options.model),
        PrometheusApi(options.prometheus_url) if options.monitoring == "full" else None,
    )
    web = Web(board, settings.password("viewer-password-hash"))
    certificate = str(Path(os.environ["CREDENTIALS_DIRECTORY"], "console.pem"))
    with listening(options.address, options.port) as listener:
        return asyncio.run(serve(board, web, listener, certificate, service))


@contextmanager
def listening(address: str, port: int) -> Iterator[socket.socket]:
    """Listen on an address.

    Raises:
        QuartetError: CONFIGURATION, the address is not this VM's, or the port is taken.
    """
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server((address, port), family=family, backlog=128)
    except OSError as error:
        raise QuartetError(ExitCode.CONFIGURATION, f"cannot listen on {address}:{port}: {error}") from error
    with listener:
        yield listener


async def serve(board: Board, web: Web, listener: socket.socket, certificate: str, host: Host) -> ExitCode:
    """Serve until `host.stopping`; return how it ended. `certificate`: file with key, certificate and CA."""
    pollers = board.pollers()
    loop = asyncio.get_running_loop()

    def announce(kind: str, content: Mapping[str, Any]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(board.hub.publish, kind, content)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        board.announce = announce
        for poller in pollers:
            poller.start()
        if isinstance(host, Service):
            host.ready(f"serving on {listener.getsockname()[0]}:{listener.getsockname()[1]}")
        yield

    server = _server(web.application(lifespan), certificate)
    watch = asyncio.create_task(_watch(board, pollers, server, host))
    await server.serve(sockets=[listener])
    crashed = await watch
    for poller in pollers:
        poller.stop()
    return ExitCode.SOFTWARE if crashed else ExitCode.OK


async def _watch(board: Board, pollers: Sequence[Poller], server: uvicorn.Server, host: Host) -> bool:
    """Publish the tiles and feed the watchdog until the process is to stop; return whether a reader crashed."""
    published_at = 0.0
    while not host.stopping:
        moment = time.monotonic()
        if any(poller.crash is not None for poller in pollers):
            break
        if all(moment - poller.turned_at < _HANGS_SECONDS + poller.pause_seconds for poller in pollers):
            host.feed_watchdog()
        if moment - published_at >= _TILES_SECONDS:
            published_at = moment
            board.hub.publish("tiles", board.tiles())
            host.status(f"{board.hub.pages} pages open; {_troubles(board)}")
        await asyncio.sleep(_WATCH_SECONDS)
    board.hub.close()
    server.should_exit = True
    return not host.stopping


def _troubles(board: Board) -> str:
    names = ("tail", "stored", "results", "metrics")
    found = [f"{name}: {why}" for name in names if (why := board.readings.get(name).why) is not None]
    return "; ".join(found)[:200] or "every source answers"


def _server(application: Starlette, certificate: str) -> uvicorn.Server:
    try:
        config = uvicorn.Config(
            application,
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=certificate,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            limit_concurrency=_MOST_CONNECTIONS,
        )
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise QuartetError(ExitCode.CONFIGURATION, f"cannot use the certificate console.pem: {error}") from error
    return _Server(config)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to Service, which everything else of the process also listens to."""
        yield
