"""The module mongodb_health of the role mongodb, with a fake server: the problems it finds, and failed logins."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo import errors
from role_modules import call, load_module

CONNECTION = {"host": "192.0.2.1", "port": 27017, "ca_file": "/nowhere/ca.crt", "admin_password": "secret", "replica_set": "rs"}
MEMBER = "192.0.2.1:27017"
HEALTHY: dict[str, dict[str, Any]] = {
    "buildInfo": {"version": "8.0.4"},
    "replSetGetStatus": {"set": "rs", "members": [{"name": MEMBER, "stateStr": "PRIMARY", "self": True}]},
    "replSetGetConfig": {"config": {}},
    "appendOplogNote": {},
    "getParameter": {"tlsMode": "requireTLS", "featureCompatibilityVersion": {"version": "8.0"}},
    "getLog": {"log": ['{"msg": "vm.max_map_count is too low"}']},
}


def health(answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    module = load_module("mongodb_health")
    admin = SimpleNamespace(command=lambda name, *_, **__: {**HEALTHY, **answers}[name])
    monkeypatch.setattr(module, "administrator", lambda _: SimpleNamespace(admin=admin))
    return call(module, capsys, {**CONNECTION, "timeout": -1})


def test_a_healthy_server_tells_its_warnings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    result = health({}, monkeypatch, capsys)
    assert (result["version"], result["state"], result["startup_warnings"]) == ("8.0.4", "PRIMARY", ["vm.max_map_count is too low"])


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ({"replSetGetStatus": {**HEALTHY["replSetGetStatus"], "set": "other"}}, "the replica set is called other, not rs"),
        (
            {"replSetGetStatus": {"set": "rs", "members": [{"name": MEMBER, "stateStr": "RECOVERING", "self": True}]}},
            f"member {MEMBER} is RECOVERING; the replica set has no primary",
        ),
        ({"replSetGetConfig": {"config": {"writeConcernMajorityJournalDefault": False}}}, "writeConcernMajorityJournalDefault is off"),
        ({"appendOplogNote": {"writeConcernError": {"errmsg": "waiting timed out"}}}, "no majority has a write in its journal"),
        ({"getParameter": {**HEALTHY["getParameter"], "tlsMode": "preferTLS"}}, "tlsMode is preferTLS"),
        ({"buildInfo": {"version": "8.2.1"}}, "the feature compatibility version is 8.0 under server 8.2.1"),
    ],
)
def test_what_is_wrong_is_named(
    answers: dict[str, Any], problem: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = health(answers, monkeypatch, capsys)
    assert result["failed"]
    assert problem in result["msg"]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (errors.OperationFailure("Authentication failed", 18), "does not accept the user admin"),
        (errors.ServerSelectionTimeoutError("connection refused"), "no answer from 192.0.2.1:27017 within 0 s: connection refused"),
    ],
    ids=["password", "address"],
)
def test_why_nobody_can_log_in_is_told(
    error: Exception, cause: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise error

    module = load_module("mongodb_health")
    shared = sys.modules["ansible.module_utils.mongodb_admin"]
    monkeypatch.setattr(shared, "connect", lambda *_: SimpleNamespace(admin=SimpleNamespace(command=fail)))
    assert cause in call(module, capsys, {**CONNECTION, "timeout": 0})["msg"]
