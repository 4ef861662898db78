"""`quartet health`: which units are healthy, and the reason if one is not."""

from __future__ import annotations

import socket
import time

import pytest
from quartet.runtime.health import connection_problems, port_problems, unit_problems, wait_until_none

ACTIVE = {"ActiveState": "active", "Result": "success", "StatusText": "12 images/s"}
ENDED = {"ActiveState": "inactive", "Result": "success"}
FAILED = {"ActiveState": "failed", "Result": "exit-code", "StatusText": "kafka refuses the password"}


@pytest.mark.parametrize(
    ("shown", "may_finish", "problems"),
    [
        (ACTIVE, False, []),
        (ACTIVE, True, []),
        (ENDED, True, []),
        (ENDED, False, ["u is inactive (success): it reported no status"]),
        (FAILED, True, ["u is failed (exit-code): kafka refuses the password"]),
        ({"ActiveState": "activating", "Result": "success"}, False, ["u is activating (success): it reported no status"]),
    ],
)
def test_a_unit(shown: dict[str, str], may_finish: bool, problems: list[str]) -> None:
    assert list(unit_problems("u", shown, may_finish)) == problems


def test_the_servers_of_an_app() -> None:
    text = 'quartet_connected{server="kafka"} 1.0\nquartet_connected{server="mongodb"} 0.0\n'
    assert list(connection_problems(9211, text)) == ["port 9211: mongodb does not answer"]
    assert list(connection_problems(9211, text.replace(" 0.0", " 1.0"))) == []
    assert list(connection_problems(9211, "")) == ["port 9211: not connected yet"]


def test_a_port_that_nobody_serves() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        (problem,) = port_problems(reserved.getsockname()[1])
    assert "serves no metrics" in problem


def test_it_asks_again_until_the_seconds_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    answers = [["starting"], ["starting"], []]
    assert wait_until_none(lambda: answers.pop(0), 60) == []
    assert wait_until_none(lambda: ["starting"], 0) == ["starting"]
