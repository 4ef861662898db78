"""The messages of the process to systemd."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from quartet.runtime import service


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    lines: list[str] = []
    monkeypatch.setattr(service, "_notify", lines.append)
    yield lines
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_watchdog_waits_longer_and_then_as_long_as_the_unit_says(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "180000000")
    process = service.Service()
    process.set_watchdog_timeout(900)
    process.set_watchdog_timeout(None)
    assert said == ["WATCHDOG_USEC=900000000\nWATCHDOG=1", "WATCHDOG_USEC=180000000\nWATCHDOG=1"]


def test_without_a_watchdog_nothing_is_asked_of_it(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    service.Service().set_watchdog_timeout(None)
    assert said == []
