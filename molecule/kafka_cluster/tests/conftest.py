"""What the tests of the cluster share: its machines, their state, and a load from outside."""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest
import testinfra
import yaml
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from molecule_play import play, scenario_inventory

ADDRESSES = {"mol-broker1": "10.77.0.131", "mol-broker2": "10.77.0.132", "mol-broker3": "10.77.0.133"}
SECRETS = scenario_inventory() / "secrets"
TOPIC = "images"
# Writes go on within that time (seconds)
LONGEST_GAP = 15


def login(user: str, addresses: list[str]) -> dict[str, object]:
    """Return a client's options."""
    values = yaml.safe_load((SECRETS / "secrets.yml").read_text())["secrets_values"]
    return {
        "bootstrap_servers": [f"{address}:9093" for address in addresses],
        "security_protocol": "SASL_SSL",
        "ssl_context": ssl.create_default_context(cafile=str(SECRETS / "ca.crt")),
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": user,
        "sasl_plain_password": values[f"kafka_{user}_password"],
    }


class Load:
    """Sends a hundred records a second until it is left; then `acknowledged`, `failed` and `longest_gap` (s) say how it went."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses
        self._name = str(time.time_ns())
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.acknowledged: list[int] = []
        self.failed: list[str] = []
        self.longest_gap = 0.0

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _send(self) -> None:
        # as the producers of Quartet: the idempotent client of vm_apps/src/quartet/kafka/client.py
        producer = KafkaProducer(
            **login("producer", self._addresses), enable_idempotence=True, acks="all", delivery_timeout_ms=60_000, max_block_ms=60_000
        )
        number, last = 0, time.monotonic()

        def acknowledged(sent: int, _: object) -> None:
            nonlocal last
            self.longest_gap = max(self.longest_gap, time.monotonic() - last)
            last = time.monotonic()
            self.acknowledged.append(sent)

        while not self._ended.wait(0.01):
            future = producer.send(TOPIC, key=b"%d" % number, value=f"{self._name} {number}".encode())
            future.add_callback(acknowledged, number)
            future.add_errback(lambda error: self.failed.append(repr(error)))
            number += 1
        producer.flush(60)
        producer.close()

    def stored(self) -> list[int]:
        """Return the numbers of this load that are in the topic, as many times as they are there."""
        reader = KafkaConsumer(
            **login("auditor", self._addresses), auto_offset_reset="earliest", consumer_timeout_ms=5000, enable_auto_commit=False
        )
        reader.assign([TopicPartition(TOPIC, number) for number in sorted(reader.partitions_for_topic(TOPIC))])
        reader.seek_to_beginning()
        found = [record.value.decode().split() for record in reader]
        reader.close()
        return [int(number) for name, number in found if name == self._name]


@pytest.fixture(scope="session")
def brokers() -> dict[str, testinfra.host.Host]:
    """The machines, by name."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    return {name: testinfra.get_host(f"ansible://{name}?ansible_inventory={inventory}", sudo=True) for name in ADDRESSES}


@pytest.fixture(scope="session")
def converge() -> Callable[..., tuple[int, str]]:
    """site.yml with other variables; returns its status and its output with the line breaks folded away."""

    return partial(play, "site.yml", seconds=900)


@pytest.fixture(scope="session")
def healthy() -> Callable[[], None]:
    """Wait until every partition that the auditor sees has all of its three replicas."""

    def missing() -> list[str]:
        try:
            with KafkaAdminClient(**login("auditor", list(ADDRESSES.values())), request_timeout_ms=5000) as client:
                topics = client.describe_topics()
        except KafkaError as error:
            return [repr(error)]
        partitions = [(topic["name"], partition) for topic in topics for partition in topic["partitions"]]
        return [f"{name} {row}" for name, row in partitions if len(row["isr_nodes"]) < 3] if partitions else ["no topic"]

    def wait() -> None:
        deadline = time.monotonic() + 120
        while still := missing():
            assert time.monotonic() < deadline, still
            time.sleep(1)

    return wait


def judged(load: Load) -> None:
    """Nothing was refused; all that was acknowledged is there, once; writes did not stop for long."""
    assert load.failed == []
    assert len(load.acknowledged) > 100
    assert load.longest_gap < LONGEST_GAP
    assert sorted(load.stored()) == sorted(load.acknowledged)


@pytest.fixture
def load(healthy):
    healthy()
    with Load(list(ADDRESSES.values())) as running:
        time.sleep(3)
        yield running
    judged(running)
