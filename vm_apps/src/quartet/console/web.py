"""The routes: the page, its stream of events, images, traces, and the login. None of them changes anything but the session."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from quartet.console.board import Board
from quartet.console.guard import Guard
from quartet.console.hub import Closed, Full
from quartet.console.login import COOKIE, SESSION_SECONDS, Password, Sessions, Throttle
from quartet.contracts.causes import ContractError
from quartet.contracts.ids import parse_id
from quartet.runtime.errors import QuartetError, Unavailable

STATIC: Final = Path(__file__).parent / "static"
_COMMENT_SECONDS: Final = 10.0
_LONGEST_FORM: Final = 2_000
_STREAM_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_IMAGE_HEADERS: Final = {"Cache-Control": "private, max-age=31536000, immutable"}

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


class Web:
    """The application of one console."""

    def __init__(self, board: Board, hashed_password: str) -> None:
        self._board = board
        self._password, self._sessions, self._throttle = Password(hashed_password), Sessions(hashed_password), Throttle()

    def application(self, lifespan: Lifespan) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/login", self._login, methods=["GET", "POST"]),
                Route("/logout", self._logout, methods=["POST"]),
                Route("/session", self._session),
                Route("/events", self._events),
                Route("/image/{name}", self._image),
                Route("/trace/{image_id}", self._trace),
                Mount("/static", _Static(directory=STATIC)),
            ],
            middleware=[Middleware(Guard, sessions=self._sessions, refuse=partial(_login_page, status=401))],
            lifespan=lifespan,
        )

    async def _page(self, _: Request) -> Response:
        return HTMLResponse((STATIC / "console.html").read_bytes())

    async def _login(self, request: Request) -> Response:
        if request.method == "GET":
            return await _login_page(request)
        address = request.client.host if request.client else "unknown"
        if wait := self._throttle.wait_seconds(address):
            page = await _login_page(request, status=429, error=f"Too many wrong passwords. Try again in {wait} seconds.")
            page.headers["Retry-After"] = str(wait)
            return page
        fields = await _form(request)
        # counted before the comparison, so that many at once are not all compared
        self._throttle.failed(address)
        if not await run_in_threadpool(self._password.fits, fields.get("user", ""), fields.get("password", "")):
            return await _login_page(request, status=401, error="User or password is wrong.")
        self._throttle.succeeded(address)
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(COOKIE, self._sessions.open(), max_age=SESSION_SECONDS, secure=True, httponly=True, samesite="strict")
        return answer

    async def _logout(self, _: Request) -> Response:
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
        return answer

    async def _session(self, _: Request) -> Response:
        # the page asks it after an error: an EventSource does not tell 401 from a server that is away
        return Response(status_code=204)

    async def _events(self, request: Request) -> Response:
        try:
            subscriber = self._board.hub.subscribe(self._board.snapshot())
        except Full:
            return PlainTextResponse("too many pages are open\n", status_code=503)
        end: float = request.scope["session_end"]

        async def stream() -> AsyncIterator[bytes]:
            try:
                yield b"retry: 2000\n\n"
                while time.time() < end:
                    yield await subscriber.next(_COMMENT_SECONDS) or b": nothing new\n\n"
            except Closed:
                return
            finally:
                self._board.hub.unsubscribe(subscriber)

        return StreamingResponse(stream(), media_type="text/event-stream", headers=_STREAM_HEADERS)

    async def _image(self, request: Request) -> Response:
        image_id, _, ending = request.path_params["name"].rpartition(".")
        if ending != "png" or not _is_id(image_id):
            return PlainTextResponse("no such image\n", status_code=404)
        try:
            content = await run_in_threadpool(self._board.image, image_id)
        except (Unavailable, QuartetError) as error:
            return PlainTextResponse(f"{error}\n", status_code=503)
        if content is None:
            return PlainTextResponse("not stored yet, or unknown\n", status_code=404)
        return Response(content, media_type="image/png", headers=_IMAGE_HEADERS)

    async def _trace(self, request: Request) -> Response:
        image_id = request.path_params["image_id"]
        if not _is_id(image_id):
            return JSONResponse({"why": "this is not an image's id"}, status_code=404)
        try:
            found: dict[str, Any] | None = await run_in_threadpool(self._board.trace, image_id)
        except (Unavailable, QuartetError) as error:
            return JSONResponse({"why": str(error)}, status_code=503)
        return JSONResponse(found or {"why": "the database knows nothing of it yet"}, status_code=200 if found else 404)


class _Static(StaticFiles):
    """Files of the page, asked for again each time: a new release must not meet an old script."""

    def file_response(self, *arguments: Any, **more: Any) -> Response:
        """Return a file, or 304 where the browser has it."""
        answer = super().file_response(*arguments, **more)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


def _is_id(text: str) -> bool:
    try:
        parse_id(text)
    except ContractError:
        return False
    return True


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a small form; nothing of a large one."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace"), keep_blank_values=True).items()}


async def _login_page(_: Request, status: int = 200, error: str = "") -> Response:
    # `error` is one of this module's own sentences
    text = (STATIC / "login.html").read_text().replace("<!-- error -->", f'<p class="error" role="alert">{error}</p>' if error else "")
    return HTMLResponse(text, status_code=status)
