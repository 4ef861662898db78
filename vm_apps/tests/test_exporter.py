"""The exporter against real servers, with the rights that the inventory gives its users and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from computed import computed
from default_names import COLLECTIONS, GROUPS, MODEL, TOPICS
from kafka import TopicPartition
from kafka import errors as kafka_errors
from kafka.structs import OffsetAndMetadata
from prometheus_client import CollectorRegistry
from quartet.exporter.app import Exporter
from quartet.kafka import client as kafka_client
from quartet.runtime.scrape import scrape
from quartet.runtime.settings import ExporterSettings, Kafka, MetricsTls, MongoDB
from real_servers import PASSWORD, Broker, Database, broker, database, free_port, mongod_program
from tls_server import Authority

INVENTORY = computed("lab", "{'acls': kafka_acls, 'roles': mongodb_roles}")["vm1"]


@dataclass
class Installation:
    broker: Broker
    database: Database
    settings: ExporterSettings
    authority: Authority


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("exporter")
    authority = Authority(folder / "ca")
    with broker(folder / "kafka", authority) as kafka, database(folder / "mongodb", authority, mongod_program(folder)) as mongodb:
        mongodb.set_up(INVENTORY["roles"], {"exporter": ["quartet_exporter"]})
        mongodb.admin["kafka_db"]["image"].insert_many([{"_id": str(number)} for number in range(10)])
        mongodb.admin["team5_vm3_db"]["images"].insert_many([{"model": MODEL if number else "another"} for number in range(7)])
        kafka.create_topics({"images": 2, "inferences": 2, "dead-letters": 1})
        kafka.create_users(INVENTORY["acls"], ["exporter"])
        for topic in ("images", "inferences"):
            fill(kafka, topic, 5)
        options = ExporterSettings(
            kafka=Kafka(bootstrap_servers=kafka.settings.bootstrap_servers, user="exporter", ca_file=kafka.settings.ca_file),
            mongodb=MongoDB(hosts=[mongodb.address], user="exporter", ca_file=str(authority.file)),
            topics=TOPICS,
            collections=COLLECTIONS,
            groups=GROUPS,
            model=MODEL,
            poll_seconds=1,
            metrics_port=free_port(),
            metrics_tls=None,
        )
        yield Installation(kafka, mongodb, options, authority)


@pytest.fixture
def exporter(servers: Installation) -> Iterator[Exporter]:
    made = Exporter(servers.settings, PASSWORD, PASSWORD)
    yield made
    made.close()


def fill(kafka: Broker, topic: str, records: int) -> None:
    """Append so many records to partition 0 of a topic."""
    producer = kafka_client.connect_producer(kafka.settings, PASSWORD, linger_ms=0)
    for _ in range(records):
        producer.send(topic, key=b"x", value=bytes(3000), partition=0).get(timeout=30)
    producer.close()


def commit(kafka: Broker, group: str, topic: str, offset: int) -> None:
    """Commit, as soon as there is a coordinator."""
    for attempt in range(60):
        try:
            kafka.admin.alter_group_offsets(group, {TopicPartition(topic, 0): OffsetAndMetadata(offset, "", -1)})
        except (kafka_errors.CoordinatorNotAvailableError, kafka_errors.CoordinatorLoadInProgressError):
            if attempt == 59:
                raise
            time.sleep(0.5)
        else:
            return


def result(producer_id: int, incorrect: int, total: int, **more: Any) -> dict[str, Any]:
    return {
        "_id": producer_id,
        "producer_id": producer_id,
        "incorrect_count": incorrect,
        "total_count": total,
        "model": MODEL,
        "updated_at": time.time_ns() // 1000,
        **more,
    }


def polled(exporter: Exporter) -> CollectorRegistry:
    """Poll and return what is scraped."""
    exporter.poll()
    registry = CollectorRegistry()
    registry.register(exporter)
    return registry


def lag(registry: CollectorRegistry, group: str, topic: str, partition: int = 0) -> float | None:
    return registry.get_sample_value("kafka_consumergroup_lag", {"consumergroup": group, "topic": topic, "partition": str(partition)})


def seconds(registry: CollectorRegistry, group: str, topic: str) -> float | None:
    return registry.get_sample_value("quartet_consumer_lag_seconds", {"consumergroup": group, "topic": topic})


def test_a_group_that_is_not_there_has_all_of_the_log_as_its_lag(exporter: Exporter) -> None:
    found = polled(exporter)
    assert found.get_sample_value("quartet_exporter_up", {"source": "kafka"}) == 1
    assert lag(found, f"inference-{MODEL}", "images") == 5
    assert lag(found, f"inference-{MODEL}", "images", 1) == 0
    assert found.get_sample_value("kafka_consumergroup_members", {"consumergroup": f"inference-{MODEL}"}) == 0


def test_lag_in_records_and_in_seconds(servers: Installation, exporter: Exporter) -> None:
    commit(servers.broker, GROUPS.images, "images", 3)
    first = polled(exporter)
    assert lag(first, GROUPS.images, "images") == 2
    age = seconds(first, GROUPS.images, "images")
    assert age is not None
    time.sleep(2)
    later = seconds(polled(exporter), GROUPS.images, "images")
    assert later is not None
    assert 1.5 < later - age < 5
    left = later_left(exporter)
    assert 7 * 86400 - 600 < left < 7 * 86400
    commit(servers.broker, GROUPS.images, "images", 5)
    drained = polled(exporter)
    assert lag(drained, GROUPS.images, "images") == seconds(drained, GROUPS.images, "images") == 0


def later_left(exporter: Exporter) -> float:
    found = polled(exporter).get_sample_value("quartet_retention_left_seconds", {"consumergroup": GROUPS.images})
    assert found is not None
    return found


def test_a_deleted_group_keeps_its_series(servers: Installation, exporter: Exporter) -> None:
    commit(servers.broker, GROUPS.inferences, "inferences", 5)
    assert lag(polled(exporter), GROUPS.inferences, "inferences") == 0
    servers.broker.admin.delete_groups([GROUPS.inferences])
    after = polled(exporter)
    assert lag(after, GROUPS.inferences, "inferences") == 5
    assert seconds(after, GROUPS.inferences, "inferences")


def test_groups_at_different_offsets_have_their_own_ages(servers: Installation, exporter: Exporter) -> None:
    time.sleep(1.1)
    fill(servers.broker, "images", 1)
    commit(servers.broker, GROUPS.images, "images", 5)
    found = polled(exporter)
    old, new = seconds(found, f"inference-{MODEL}", "images"), seconds(found, GROUPS.images, "images")
    assert old is not None
    assert new is not None
    assert old > new + 1


def test_partitions_quorum_and_disks(exporter: Exporter) -> None:
    found = polled(exporter)
    assert found.get_sample_value("kafka_brokers") == 1
    place = {"topic": "dead-letters", "partition": "0"}
    assert found.get_sample_value("kafka_topic_partition_leader", place) == 1
    assert found.get_sample_value("kafka_topic_partition_in_sync_replica", place) == 1
    assert found.get_sample_value("kafka_topic_partition_under_replicated_partition", place) == 0
    assert found.get_sample_value("kafka_topic_partition_oldest_offset", place) == 0
    assert found.get_sample_value("quartet_topic_min_insync_replicas", {"topic": "images"}) == 1
    assert found.get_sample_value("quartet_kafka_quorum_leader") == 1
    assert found.get_sample_value("quartet_kafka_quorum_voter_lag", {"node": "1"}) == 0
    sizes = {sample.labels["topic"]: sample.value for family in found.collect() for sample in family.samples if "log_bytes" in sample.name}
    assert sizes["images"] > 15_000
    disks = [sample.value for family in found.collect() for sample in family.samples if "usable_bytes" in sample.name]
    assert len(disks) == 1
    assert disks[0] > 0


def test_counts_of_stream_and_batch_and_the_streams_lag(servers: Installation, exporter: Exporter) -> None:
    results = servers.database.admin["team5_vm3_db"]
    results["incorrect_inference_stream_results"].replace_one({"_id": 101}, result(101, 2, 4, offsets={"0": 4, "1": 0}), upsert=True)
    results["incorrect_inference_results"].replace_one({"_id": 101}, result(101, 1, 3), upsert=True)
    found = polled(exporter)
    assert found.get_sample_value("quartet_incorrect_images", {"producer_id": "101", "source": "stream"}) == 2
    assert found.get_sample_value("quartet_counted_images", {"producer_id": "101", "source": "batch"}) == 3
    assert found.get_sample_value("quartet_pending_images") == 10 - 6
    assert lag(found, "spark-stream", "inferences") == 1
    # nothing is drained, so nothing is compared
    assert found.get_sample_value("quartet_stream_batch_difference", {"producer_id": "101"}) is None


def test_the_databases_own_figures(exporter: Exporter) -> None:
    found = polled(exporter)
    assert found.get_sample_value("mongodb_up") == 1
    assert found.get_sample_value("mongodb_connections", {"state": "current"})
    assert found.get_sample_value("mongodb_op_counters_total", {"type": "insert"})
    assert found.get_sample_value("mongodb_mongod_replset_my_state", {"set": "test"}) == 1
    health = [sample for family in found.collect() for sample in family.samples if sample.name.endswith("member_health")]
    assert [(sample.labels["state"], sample.value) for sample in health] == [("PRIMARY", 1)]


def test_a_user_without_the_rights_is_named(servers: Installation) -> None:
    servers.database.admin.admin.command("createUser", "nobody", pwd=PASSWORD, roles=[])
    options = servers.settings.model_copy(update={"mongodb": servers.settings.mongodb.model_copy(update={"user": "nobody"})})
    exporter = Exporter(options, PASSWORD, PASSWORD)
    try:
        assert "does not allow it" in exporter.poll()
    finally:
        exporter.close()


def test_servers_that_are_away(servers: Installation) -> None:
    away = f"127.0.0.1:{free_port()}"
    options = servers.settings.model_copy(
        update={
            "kafka": servers.settings.kafka.model_copy(update={"bootstrap_servers": [away]}),
            "mongodb": servers.settings.mongodb.model_copy(update={"hosts": [away]}),
        }
    )
    exporter = Exporter(options, PASSWORD, PASSWORD)
    fed: list[float] = []
    try:
        assert "kafka" in exporter.poll(lambda: fed.append(time.monotonic()))
        registry = CollectorRegistry()
        registry.register(exporter)
    finally:
        exporter.close()
    assert registry.get_sample_value("kafka_brokers") == registry.get_sample_value("mongodb_up") == 0
    assert registry.get_sample_value("quartet_exporter_up", {"source": "mongodb"}) == 0
    assert lag(registry, GROUPS.images, "images") is None
    # the watchdog (60 s) is fed after each source
    assert len(fed) == 2
    assert fed[1] - fed[0] < 20


def test_the_command_serves_what_it_polls(servers: Installation, tmp_path: Path) -> None:
    folder = Path(servers.settings.kafka.ca_file).parent
    for name in ("kafka-password", "mongodb-password"):
        (folder / name).write_text(PASSWORD)
    servers.authority.issue(file="metrics.pem")
    tls = MetricsTls(address="127.0.0.1", ca_file=servers.settings.kafka.ca_file)
    options = servers.settings.model_copy(update={"metrics_tls": tls})
    (tmp_path / "exporter.json").write_text(options.model_dump_json())
    command = [sys.executable, "-m", "quartet.cli", "exporter", f"--config={tmp_path}/exporter.json"]
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline, text = time.monotonic() + 40, ""
        while "kafka_brokers 1.0" not in text and time.monotonic() < deadline:
            time.sleep(0.5)
            with suppress(OSError):
                text = scrape(options.metrics_port, tls, seconds=5, certificate=str(folder / "metrics.pem"))
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert "mongodb_up 1.0" in text
    assert 'quartet_watchdog_age_seconds{app="exporter"}' in text
    assert f'kafka_consumergroup_lag{{consumergroup="{GROUPS.images}",partition="0",topic="images"}}' in text


def test_stream_and_batch_are_compared_when_all_is_drained(servers: Installation, exporter: Exporter) -> None:
    commit(servers.broker, GROUPS.inferences, "inferences", 5)
    results = servers.database.admin["team5_vm3_db"]
    results["incorrect_inference_stream_results"].replace_one({"_id": 101}, result(101, 2, 5, offsets={"0": 5, "1": 0}), upsert=True)
    for _ in range(3):
        results["incorrect_inference_results"].replace_one({"_id": 101}, result(101, 1, 5), upsert=True)
        found = polled(exporter)
        time.sleep(0.1)
    assert found.get_sample_value("quartet_stream_batch_difference", {"producer_id": "101"}) == 1


def test_the_series_have_distinct_names() -> None:
    from quartet.exporter import names  # noqa: PLC0415
    from quartet.exporter.family import Family  # noqa: PLC0415

    families = [value for value in vars(names).values() if isinstance(value, Family)]
    assert len({family.name for family in families}) == len(families)
    assert all(replace(family).of([]).name == family.name.removesuffix("_total") for family in families)
