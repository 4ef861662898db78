"""An unusable server is reported with its cause: TLS errors, a closed port, a silent broker."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka import errors as kafka_errors
from memory_broker import MemoryHost
from prometheus_client import REGISTRY
from quartet.kafka import client as kafka_client
from quartet.kafka import group
from quartet.kafka.group import GroupConsumer
from quartet.mongodb import client as mongodb_client
from quartet.runtime import settings, tls_causes
from quartet.runtime.errors import Unavailable
from quartet.worker.loop import Worker
from tls_server import Authority, serving

BAD: dict[str, tuple[Callable[[Authority, Authority], Path | None], str]] = {
    "expired": (lambda ours, _: ours.issue(days=-1), "the server's certificate has expired"),
    "foreign CA": (lambda _, foreign: foreign.issue(), "is not signed by the CA that the settings name"),
    "other name": (lambda ours, _: ours.issue(address="10.9.9.9"), "does not name the address that it is reached at"),
    "no TLS": (lambda _ours, _foreign: None, "does not speak TLS at this port"),
}


@pytest.fixture(autouse=True)
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_client, "CALL_MS", 1200)
    monkeypatch.setattr(group, "CALL_MS", 1200)
    monkeypatch.setattr(mongodb_client, "CALL_SECONDS", 0.5)


def kafka(address: str, authority: Authority) -> None:
    chosen = settings.Kafka(bootstrap_servers=[address], user="auditor", ca_file=str(authority.file))
    kafka_client.connect_reader(chosen, "a password").close()


def mongodb(address: str, authority: Authority) -> None:
    chosen = settings.MongoDB(hosts=[address], user="auditor", ca_file=str(authority.file))
    with mongodb_client.connect(chosen, "a password", app="test") as client:
        mongodb_client.server(client)


@pytest.mark.parametrize("connect", [kafka, mongodb])
@pytest.mark.parametrize("kind", BAD)
def test_a_certificate_that_does_not_do_is_named(tmp_path: Path, kind: str, connect: Callable[[str, Authority], None]) -> None:
    ours, foreign = Authority(tmp_path / "ours"), Authority(tmp_path / "foreign")
    make, cause = BAD[kind]
    with serving(make(ours, foreign)) as address, pytest.raises(Unavailable) as refused:
        connect(address, ours)
    assert cause in str(refused.value)
    assert len(str(refused.value)) < 350


@pytest.mark.parametrize("connect", [kafka, mongodb])
def test_a_closed_port_is_named(tmp_path: Path, connect: Callable[[str, Authority], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(Unavailable, match=r"ECONNREFUSED|refused") as refused:
        connect(address, Authority(tmp_path / "ours"))
    assert len(str(refused.value)) < 350


def test_what_is_not_about_tls_is_left_alone() -> None:
    assert tls_causes.explain("timed out") is None


class SilentConsumer:
    """kafka-python's consumer of a broker that went away: poll() returns nothing, as if there were no news."""

    away = False
    asked = 0

    def __init__(self, **_: Any) -> None:
        self._cluster = self

    def subscribe(self, *_: Any, **__: Any) -> None: ...

    def poll(self, **_: Any) -> dict[Any, Any]:
        return {}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0}

    def topic_id(self, _topic: str) -> None: ...

    def leader_epoch_for_partition(self, _partition: TopicPartition) -> None: ...

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("images", 0)}

    def paused(self) -> set[TopicPartition]:
        return self.assignment()

    def pause(self, *_: Any) -> None: ...

    def resume(self, *_: Any) -> None: ...

    def close(self, **_: Any) -> None: ...

    def highwater(self, _partition: TopicPartition) -> int:
        return 0

    def position(self, _partition: TopicPartition, **_: Any) -> int:
        return 0

    def end_offsets(self, partitions: list[TopicPartition], *, timeout_ms: int) -> dict[TopicPartition, int]:
        self.asked += 1
        if self.away:
            raise kafka_errors.KafkaTimeoutError(f"no answer in {timeout_ms} ms")
        return dict.fromkeys(partitions, 0)


class Idle:
    """A strategy without work."""

    def process(self, _records: Any) -> Any: ...

    def describe(self) -> str:
        return "nothing stored"

    def close(self) -> None: ...


def test_a_broker_that_went_silent_is_told_by_the_status_line_and_the_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(group, "KafkaConsumer", SilentConsumer)
    monkeypatch.setattr(group.time, "monotonic", lambda: now[0])
    chosen = settings.Kafka(bootstrap_servers=["127.0.0.1:1"], user="db_consumer", ca_file="none")
    source = GroupConsumer(chosen, "a password", "images", "a group", "an instance", accept_loss=False)
    consumer: Any = source._consumer
    seen: list[tuple[float, float | None, str]] = []

    def tick() -> bool:
        now[0] += 0.5
        consumer.away = 20 < now[0] <= 60
        seen.append((now[0], REGISTRY.get_sample_value("quartet_connected", {"server": "kafka"}), host.lines[-1] if host.lines else ""))
        return now[0] >= 90

    host = MemoryHost(tick)
    Worker(host, source, Idle(), batch_size=10, batch_seconds=0, clock=lambda: now[0]).run()  # type: ignore[arg-type]
    lost = [moment for moment, connected, line in seen if connected == 0 and line.startswith("paused, nothing is lost: kafka: ")]
    assert 20 < lost[0] <= 50
    assert lost[-1] <= 70
    assert seen[-1][1] == 1
    assert "nothing stored" in seen[-1][2]
    # 5 s without news cost one small request
    assert consumer.asked < 90


def test_a_consumer_that_starts_before_kafka_says_so_and_joins_when_it_is_there() -> None:
    host = MemoryHost(lambda: False)
    answers: list[Any] = [Unavailable("kafka", "connection refused"), Unavailable("kafka", "connection refused"), "a member"]

    def connect() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    assert group.join(host, connect) == "a member"
    assert host.lines == ["waiting, nothing is lost: kafka: connection refused"] * 2
    assert REGISTRY.get_sample_value("quartet_connected", {"server": "kafka"}) == 0
