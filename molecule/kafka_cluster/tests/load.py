"""A producer that sends numbered records without a pause, from outside the cluster, and knows which of them Kafka acknowledged."""

from __future__ import annotations

import os
import ssl
import threading
import time
from pathlib import Path

import yaml
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets"
TOPIC = "images"


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

        def acknowledged(_: object, sent: int) -> None:
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
