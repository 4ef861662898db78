"""The modules of the role kafka, with a fake broker: what they query, what they change, and when they change nothing."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.admin import UserScramCredentialUpsertion
from kafka.errors import SaslAuthenticationFailedError, TopicAuthorizationFailedError
from role_modules import call, load_module

CONNECTION = {"bootstrap": "192.0.2.1:9092", "certificate": "/nowhere/admin.pem", "ca": "/nowhere/ca.crt"}


class Broker:
    """Answers like kafka-python's KafkaAdminClient."""

    def __init__(self) -> None:
        self.topics: dict[str, dict[str, Any]] = {}
        self.rules: list[Any] = []
        self.users: dict[str, bytes] = {}
        self.salts: dict[str, bytes] = {}
        self.refused: list[Any] = []
        self.voters = [{"replica_id": 1, "last_caught_up_timestamp": 10**12}]

    def describe_cluster(self) -> dict[str, Any]:
        return {"cluster_id": "c1", "brokers": [{"broker_id": 1}]}

    def describe_metadata_quorum(self) -> dict[str, Any]:
        return {"topics": [{"partitions": [{"leader_id": 1, "current_voters": self.voters}]}]}

    def describe_topics(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "partitions": [
                    {"partition_index": index, "leader_id": topic.get("leader", 1), "isr_nodes": [1], "replica_nodes": [1]}
                    for index in range(topic["partitions"])
                ],
            }
            for name, topic in self.topics.items()
        ]

    def describe_configs(self, resources: list[Any]) -> dict[str, Any]:
        found = {one.name: self.topics[one.name]["config"] for one in resources}
        return {"topic": {name: {key: {"value": value} for key, value in config.items()} for name, config in found.items()}}

    def create_topics(self, wanted: dict[str, Any], *, wait_for_metadata: bool) -> None:
        assert wait_for_metadata
        self.topics |= {name: {"partitions": row["num_partitions"], "config": row["configs"]} for name, row in wanted.items()}

    def alter_configs(self, resources: list[Any], *, raise_on_unknown: bool) -> dict[str, Any]:
        for resource in resources:
            config = self.topics[resource.name]["config"]
            for key, (operation, value) in resource.configs.items():
                if operation == "SET":
                    config[key] = value
                else:
                    del config[key]
        return {"topic": {resource.name: "OK" for resource in resources}}

    def describe_acls(self, _: Any) -> tuple[list[Any], None]:
        return list(self.rules), None

    def create_acls(self, rules: list[Any]) -> dict[str, Any]:
        if not self.refused:
            self.rules += rules
        return {"failed": self.refused}

    def delete_acls(self, rules: list[Any]) -> list[tuple[Any, Any, Any]]:
        self.rules = [rule for rule in self.rules if rule not in rules]
        return [(rule, [rule], SimpleNamespace(errno=0)) for rule in rules]

    def describe_user_scram_credentials(self) -> dict[str, Any]:
        mechanism = SimpleNamespace(name="SCRAM_SHA_512")
        return {name: {"credential_infos": [{"mechanism": mechanism}]} for name in self.users}

    def alter_user_scram_credentials(self, alterations: list[Any]) -> dict[str, None]:
        for alteration in alterations:
            if hasattr(alteration, "iterations"):
                self.users[alteration.user] = alteration.salted_password
                self.salts[alteration.user] = alteration.salt
            else:
                del self.users[alteration.user]
        return dict.fromkeys(alteration.user for alteration in alterations)

    def add_user(self, name: str, password: str) -> None:
        self.alter_user_scram_credentials([UserScramCredentialUpsertion(name, "SCRAM-SHA-512", password, iterations=8192)])

    def can_log_in(self, _: Any, name: str, password: str) -> bool:
        return self.users[name] == hashlib.pbkdf2_hmac("sha512", password.encode(), self.salts[name], 8192)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def run(broker: Broker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    @contextmanager
    def administrator(_: Any) -> Iterator[Broker]:
        yield broker

    def run(name: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        module = load_module(name)
        monkeypatch.setattr(module, "administrator", administrator)
        if name == "kafka_user":
            monkeypatch.setattr(module, "can_log_in", broker.can_log_in)
        return call(module, capsys, {**CONNECTION, **arguments}, check=check)

    return run


def test_topics_are_made_set_and_then_left_alone(run: Any, broker: Broker) -> None:
    broker.topics["old"] = {"partitions": 2, "config": {"retention.ms": "1", "compression.type": "zstd"}}
    topics = [
        {"name": "new", "partitions": 4, "config": {"preallocate": True}},
        {"name": "old", "partitions": 2, "config": {"retention.ms": 5}},
    ]
    trial = run("kafka_topic", topics=topics, check=True)
    assert (trial["created"], trial["altered"], "new" in broker.topics) == (["new"], ["old"], False)
    assert run("kafka_topic", topics=topics)["changed"]
    assert broker.topics["new"] == {"partitions": 4, "config": {"preallocate": "true"}}
    assert broker.topics["old"]["config"] == {"retention.ms": "5"}, "a setting that is not listed returns to the default"
    assert not run("kafka_topic", topics=topics)["changed"]


def test_another_number_of_partitions_is_refused(run: Any, broker: Broker) -> None:
    broker.topics["images"] = {"partitions": 2, "config": {}}
    result = run("kafka_topic", topics=[{"name": "images", "partitions": 3}])
    assert result["failed"]
    assert "images has 2, wanted are 3" in result["msg"]


def test_rules_of_the_listed_principals_are_exactly_these(run: Any, broker: Broker) -> None:
    def rule(principal: str, *operations: str) -> dict[str, Any]:
        return {"principal": principal, "resource": "topic", "name": "images", "operations": list(operations)}

    run("kafka_acl", acls=[rule("User:a", "read", "write"), rule("User:b", "read")])
    assert len(broker.rules) == 3
    assert run("kafka_acl", acls=[rule("User:a", "read")], check=True)["changed"]
    assert len(broker.rules) == 3
    run("kafka_acl", acls=[rule("User:a", "read")])
    assert sorted(one.principal for one in broker.rules) == ["User:a", "User:b"], "rules of other principals are left alone"
    assert not run("kafka_acl", acls=[rule("User:a", "read")])["changed"]


def test_a_refused_rule_and_an_unknown_operation_are_named(run: Any, broker: Broker) -> None:
    row = {"principal": "User:a", "resource": "topic", "name": "images", "operations": ["read"]}
    broker.refused = [TopicAuthorizationFailedError]
    assert "TopicAuthorizationFailedError" in run("kafka_acl", acls=[row])["msg"]
    assert "no operation 'REED'" in run("kafka_acl", acls=[{**row, "operations": ["reed"]}])["msg"]


def test_users_are_made_changed_and_removed(run: Any, broker: Broker) -> None:
    for name in ("kept", "stale", "gone", "other"):
        broker.add_user(name, f"pw-{name}")
    users = [
        {"name": "kept", "password": "pw-kept"},
        {"name": "stale", "password": "pw-new"},
        {"name": "fresh", "password": "pw-fresh"},
        {"name": "gone", "state": "absent"},
    ]
    assert run("kafka_user", login="192.0.2.1:9093", users=users, check=True)["altered"] == ["stale", "fresh", "gone"]
    assert broker.can_log_in(None, "stale", "pw-stale")
    run("kafka_user", login="192.0.2.1:9093", users=users)
    assert broker.users.keys() == {"kept", "stale", "fresh", "other"}
    assert broker.can_log_in(None, "stale", "pw-new")
    assert not run("kafka_user", login="192.0.2.1:9093", users=users)["changed"]


def test_a_refused_password_is_seen_in_what_kafka_python_logs() -> None:
    refusals = load_module("kafka_user").Refusals()
    for argument, seen in ((TopicAuthorizationFailedError(), False), (SaslAuthenticationFailedError(), True)):
        refusals.emit(logging.LogRecord("kafka", logging.ERROR, "", 0, "%s: %s", ("node", argument), None))
        assert refusals.seen is seen


def test_a_healthy_broker_has_no_problems(run: Any, broker: Broker) -> None:
    broker.topics["images"] = {"partitions": 2, "config": {}}
    result = run("kafka_info", nodes=[1], cluster="c1", topics=["images"])
    assert (result["problems"], result["topics"], result["leader"]) == ([], {"images": 2}, 1)


def test_each_problem_of_a_broker_is_named(run: Any, broker: Broker) -> None:
    broker.topics["images"] = {"partitions": 1, "config": {}, "leader": -1}
    broker.voters.append({"replica_id": 5, "last_caught_up_timestamp": 10**12 - 6_000})
    assert run("kafka_info", nodes=[1, 2], cluster="c2", topics=["dead"])["problems"] == [
        "this is cluster c1, not c2",
        "nodes that are not registered as brokers: [2]",
        "nodes that are not voters of the quorum: [2]",
        "voters that have not caught up with the quorum's log for 5 s: [5]",
        "missing topics: dead",
        "partitions of images without a leader or with too few replicas: [0]",
    ]


def test_a_certificate_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    result = call(load_module("kafka_info"), capsys, {**CONNECTION, "nodes": [1]})
    assert result["failed"]
    assert "cannot read /nowhere/admin.pem" in result["msg"]
