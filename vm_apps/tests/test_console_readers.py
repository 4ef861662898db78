"""The console's adapters against a real broker and a real database, with the rights that the inventory gives its users, and no others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bson import Int64
from computed import computed
from default_names import MODEL
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import GroupAuthorizationFailedError
from pymongo.errors import OperationFailure
from quartet.console.database import Database
from quartet.console.inference_tail import InferenceTail
from quartet.contracts.inference import encode_inference
from quartet.kafka.client import client_options, connect_admin
from quartet.mongodb import client as mongodb_client
from quartet.runtime.errors import QuartetError, Unavailable
from quartet.runtime.settings import Kafka, MongoDB
from real_servers import PASSWORD, Broker, broker, database, free_port, mongod_program
from running_console import COLLECTIONS
from simulated_pipeline import SimulatedPipeline, gradient
from tls_server import Authority

RIGHTS = computed("lab", "{'acls': kafka_acls, 'roles': mongodb_roles, 'users': mongodb_users | map(attribute='name')}")["vm1"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("broker"), authority) as started:
        started.create_topics({"inferences": 3, "images": 1})
        started.create_users([row for row in RIGHTS["acls"] if row["principal"] == "User:console"], ["console"])
        yield started


def as_console(server: Broker) -> Kafka:
    return server.settings.model_copy(update={"user": "console"})


def test_the_tail_begins_at_the_last_records_and_follows(server: Broker) -> None:
    made = SimulatedPipeline(begun=100).read(0)
    producer = KafkaProducer(**client_options(server.settings, PASSWORD))
    for number, inference in enumerate(made):
        key, value = encode_inference(inference)
        producer.send("inferences", key=key, value=value, partition=number % 3)
    producer.send("inferences", key=b"bad", value=b"{}", partition=0)
    producer.flush()
    tail = InferenceTail(as_console(server), PASSWORD, "inferences")
    found: list[str] = []
    end = time.monotonic() + 30
    while len(found) < 11 and time.monotonic() < end:
        found += [inference.id for inference in tail.read(0.5)]
    # the last four of each of three partitions, of which one is not an inference
    assert set(found) <= {inference.id for inference in made[-12:]}
    assert len(found) == 11
    assert tail.log_end() == len(made) + 1
    key, value = encode_inference(made[0])
    producer.send("inferences", key=key, value=value, partition=1)
    producer.flush()
    end = time.monotonic() + 15
    while not (new := tail.read(0.5)) and time.monotonic() < end:
        pass
    assert [inference.id for inference in new] == [made[0].id]
    tail.close()
    producer.close()
    # it left nothing behind: no group, no commit
    assert connect_admin(server.settings, PASSWORD).list_groups() == []


def test_a_broker_that_is_away_costs_no_thread_for_each_try(authority: Authority) -> None:
    away = Kafka(bootstrap_servers=[f"127.0.0.1:{free_port()}"], user="console", ca_file=str(authority.file))
    tail = InferenceTail(away, PASSWORD, "inferences")
    threads = []
    for _ in range(2):
        with pytest.raises(Unavailable):
            tail.read(0.1)
        threads.append(threading.active_count())
    assert threads[0] == threads[1]
    tail.close()


def test_it_may_read_one_topic_and_nothing_else(server: Broker) -> None:
    options = client_options(as_console(server), PASSWORD)
    member = KafkaConsumer(**options, group_id="console")
    member.subscribe(["inferences"])
    with pytest.raises(GroupAuthorizationFailedError):
        member.poll(timeout_ms=5000)
    with pytest.raises((QuartetError, Unavailable), match="images"):
        InferenceTail(as_console(server), PASSWORD, "images").read(1)


def test_the_database_tells_counts_images_and_documents(tmp_path: Path, authority: Authority) -> None:
    with database(tmp_path / "mongodb", authority, mongod_program(tmp_path)) as mongod:
        mongod.set_up([role for role in RIGHTS["roles"] if role["name"] == "quartet_console"], {"console": ["quartet_console"]})
        pipeline = SimulatedPipeline(begun=100)
        made = pipeline.read(0)
        images, results = mongod.admin["kafka_db"], mongod.admin["team5_vm3_db"]
        place = {"topic": "images", "partition": 1, "offset": Int64(7)}
        row = {"captured_at": Int64(5), "kafka": place}
        images["image"].insert_many(
            [
                {
                    **row,
                    "_id": i.id,
                    "producer_id": i.producer_id,
                    "image": gradient(1, i.sequence)[0],
                    "received_at": 9,
                    "payload_sha256": "ab" * 32,
                }
                for i in made
            ]
        )
        results["images"].insert_many(
            [
                {
                    **row,
                    "_id": f"{i.id}/{MODEL}",
                    "producer_id": i.producer_id,
                    "model": MODEL,
                    "image_prediction": i.image_prediction,
                    "actual_value": i.actual_value,
                    "confidence": i.confidence,
                    "inferred_at": 8,
                }
                for i in made[:-5]
            ]
        )
        counted = {"producer_id": 101, "incorrect_count": 3, "total_count": 20, "model": MODEL, "updated_at": datetime.now(UTC)}
        results["incorrect_inference_stream_results"].insert_many(
            [{**counted, "offsets": {"1": 8}}, {**counted, "producer_id": 9, "model": "0" * 12}]
        )
        settings = MongoDB(hosts=[mongod.address], user="console", ca_file=str(authority.file))
        client = mongodb_client.connect(settings, PASSWORD, app="test")
        found = Database(client, COLLECTIONS, MODEL)

        assert found.server() == f"MongoDB {mongod.admin.server_info()['version']}"
        per_producer = {p: sum(i.producer_id == p for i in made) for p in (101, 102)}
        assert {p: n["stored"] for p, n in found.stored().items()} == per_producer
        assert sum(n["inferred"] for n in found.stored().values()) == len(made) - 5
        assert found.images([made[0].id, "101-none-000000000001"]) == {made[0].id: gradient(1, made[0].sequence)[0]}
        assert found.results()["stream"].keys() == {101}
        assert found.results()["stream"][101]["incorrect"] == 3
        assert found.stream_offsets(101) == {1: 8}
        image, inference = found.documents(made[0].id)
        assert image is not None and inference is not None
        assert "image" not in image
        for refused in (
            lambda: client["kafka_db"]["image"].delete_one({}),
            lambda: client["team5_vm3_db"]["images"].insert_one({}),
            lambda: client["kafka_db"]["another"].find_one({}),
            lambda: client["admin"].command("serverStatus"),
        ):
            with pytest.raises(OperationFailure, match="not authorized"):
                refused()


def test_its_user_is_one_of_the_inventory() -> None:
    assert "console" in RIGHTS["users"]
