"""What stands before every route: no session, no answer; and the headers that keep a browser from doing anything but showing this page."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quartet.console.login import COOKIE, Sessions

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
#: What the login page consists of
_PUBLIC: Final = frozenset({"/login", "/static/colours.css", "/static/login.css", "/static/icon.svg"})


class Guard:
    """ASGI middleware. `scope["session_end"]`: when the session ends (seconds since the epoch)."""

    def __init__(self, app: ASGIApp, sessions: Sessions, refuse: Callable[[Request], Awaitable[ASGIApp]]) -> None:
        self._app, self._sessions, self._refuse = app, sessions, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with 401."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        request = Request(scope)
        end = self._sessions.expiry(request.cookies.get(COOKIE))
        scope["session_end"] = end or time.time()
        if end is not None or request.url.path in _PUBLIC:
            await self._app(scope, receive, send_with_headers)
        elif request.url.path == "/":
            await (await self._refuse(request))(scope, receive, send_with_headers)
        else:
            await PlainTextResponse("log in first\n", status_code=401)(scope, receive, send_with_headers)
