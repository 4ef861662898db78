"""Hands each event to every open page. A page that reads too slowly loses its oldest events, which are counted; memory stays bounded."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

QUEUE_EVENTS: Final = 64
MOST_PAGES: Final = 32


class Full(Exception):
    """As many pages are open as the console serves."""


class Closed(Exception):
    """The console is stopping."""


def encode_event(kind: str, number: int, content: Mapping[str, Any]) -> bytes:
    """Return an event in the format of https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    body = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return f"event: {kind}\nid: {number}\ndata: {body}\n\n".encode()


class Subscriber:
    """The queue of one page."""

    def __init__(self) -> None:
        self._events: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self.dropped = 0
        self.closed = False

    def put(self, event: bytes) -> bool:
        """Add an event; return False if the oldest had to go."""
        full = len(self._events) >= QUEUE_EVENTS
        if full:
            self._events.popleft()
            self.dropped += 1
        self._events.append(event)
        self._changed.set()
        return not full

    def close(self) -> None:
        """End the stream, once its page asks for the next event."""
        self.closed = True
        self._changed.set()

    async def next(self, seconds: float) -> bytes | None:
        """Return the next event, or None if there is none for so many seconds.

        Raises:
            Closed: the console is stopping.
        """
        if not self._events and not self.closed:
            self._changed.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                return None
        if self.closed:
            raise Closed
        return self._events.popleft()


class Hub:
    """The open pages. Only the event loop's thread may call it."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self._number = 0
        self.dropped = 0

    @property
    def pages(self) -> int:
        """The number of open pages."""
        return len(self._subscribers)

    def publish(self, kind: str, content: Mapping[str, Any]) -> None:
        """Give an event to every page."""
        self._number += 1
        event = encode_event(kind, self._number, content)
        for subscriber in self._subscribers:
            self.dropped += not subscriber.put(event)

    def subscribe(self, snapshot: Mapping[str, Any]) -> Subscriber:
        """Return the queue of a new page, which begins with the full snapshot.

        Raises:
            Full: too many pages are open.
        """
        if len(self._subscribers) >= MOST_PAGES:
            raise Full
        subscriber = Subscriber()
        self._number += 1
        subscriber.put(encode_event("snapshot", self._number, snapshot))
        self._subscribers.add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Forget a page."""
        self._subscribers.discard(subscriber)

    def close(self) -> None:
        """End every stream."""
        for subscriber in self._subscribers:
            subscriber.close()
