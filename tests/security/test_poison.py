"""Poison in the topics of the running system: each record once in the dead letters with its cause, its neighbours stored, nothing stops.

This takes no intrusion: any client with a producer's password can send arbitrary bytes.
"""

from __future__ import annotations

import base64
import random
import time
from typing import Any

import pytest
from kafka.record import MemoryRecordsBuilder
from phases import on_machine
from security import poison
from security.evidence import refused
from security.lab import CA, KAFKA, KAFKA_USERS, lines_of, python_on
from security.poison import Sent

_SEND = """
import base64, pathlib
from kafka import KafkaProducer

class Name(str):
    def encode(self, *_):
        return super().encode("latin-1")

def content(text):
    return None if text is None else base64.b64decode(text)

producer = KafkaProducer(bootstrap_servers=order["kafka"], security_protocol="SASL_SSL", ssl_cafile=order["ca"], sasl_mechanism="SCRAM-SHA-512",
                         sasl_plain_username=order["user"], sasl_plain_password=pathlib.Path(order["password"]).read_text().strip(),
                         bootstrap_timeout_ms=10000, linger_ms=20)
futures = [producer.send(order["topic"], key=content(key), value=content(value), headers=[(Name(name), content(text)) for name, text in headers])
           for key, value, headers in order["records"]]
found = [future.get(timeout=30) for future in futures]
answer = [[record.partition, record.offset] for record in found]
producer.close(timeout=5)
"""
_ARRIVED = """
import json, pathlib, pymongo
from kafka import TopicPartition
from quartet.kafka import client as kafka_client
from quartet.runtime.settings import AuditorSettings, load

settings = load(AuditorSettings, "/etc/quartet/spark_jobs/auditor.json")
folder = pathlib.Path("/etc/quartet/secrets/auditor")
client = pymongo.MongoClient(settings.mongodb.hosts, username="auditor", password=(folder / "mongodb-password").read_text().strip(), tls=True,
                             tlsCAFile=settings.mongodb.ca_file)
names = settings.collections
mine = {"producer_id": order["producer_id"]}
answer = {
    "images": sorted(row["_id"] for row in client[names.image_database][names.image_collection].find({**mine, "run": order["run"]}, {"_id": 1})),
    "inferences": sorted(row["id"] for row in client[names.results_database][names.inference_collection].find(mine, {"id": 1})
                         if row["id"].split("-")[1] == order["run"]),
    "letters": [],
}
consumer = kafka_client.connect_reader(settings.kafka, (folder / "kafka-password").read_text().strip())
partitions = [TopicPartition(settings.topics.dead_letters, number) for number in sorted(consumer.partitions_for_topic(settings.topics.dead_letters))]
consumer.assign(partitions)
consumer.seek_to_beginning(*partitions)
ends = consumer.end_offsets(partitions)
while any(consumer.position(partition) < end for partition, end in ends.items()):
    for records in consumer.poll(timeout_ms=1000).values():
        for record in records:
            letter = json.loads(record.value)
            if letter["refused_at"] > order["since"] * 1e6:
                answer["letters"].append([letter["topic"], letter["partition"], letter["offset"], letter["cause"], letter["value"]])
consumer.close()
"""


def send(user: str, topic: str, records: list[Sent]) -> list[tuple[int, int]]:
    """Send records with an app's own password, from its machine; return partition and offset of each."""
    machine, app, password = KAFKA_USERS[user]
    orders = [record.as_json() for record in records]
    places = python_on(machine, app, _SEND, kafka=KAFKA, ca=CA, user=user, password=password, topic=topic, records=orders)
    return [(partition, offset) for partition, offset in places]


def wait_until_judged(
    run: str, since: float, good: list[Sent], bad: dict[tuple[str, int, int], Sent], seconds: float = 120
) -> dict[str, Any]:
    """Wait until every good record is stored and classified and every bad one refused; return what has arrived then."""
    wanted = sorted(str(record.key, "ascii") for record in good if record.key)
    end = time.monotonic() + seconds
    while True:
        found: dict[str, Any] = python_on("vm2", "spark_jobs", _ARRIVED, run=run, producer_id=poison.PRODUCER_ID, since=since)
        letters = {(topic, partition, offset) for topic, partition, offset, _, _ in found["letters"]}
        if (bad.keys() <= letters and found["images"] == wanted == found["inferences"]) or time.monotonic() > end:
            assert found["images"] == wanted, f"{len(found['images'])} of {len(wanted)} good images are stored"
            assert found["inferences"] == wanted, f"{len(found['inferences'])} of {len(wanted)} good images are classified"
            return found
        time.sleep(2)


def check_letters(found: dict[str, Any], bad: dict[tuple[str, int, int], Sent]) -> None:
    """Check that each bad record lies in the dead letters exactly once, with its cause and its bytes."""
    for place, record in bad.items():
        letters = [(cause, value) for topic, partition, offset, cause, value in found["letters"] if (topic, partition, offset) == place]
        value = None if record.value is None else base64.b64encode(record.value).decode()
        assert letters == [(record.cause, value)], (record.what, place)


_FIND = f"find /tmp /var/tmp -name {poison.EXPLODED}"
# Shows that the pickle works when it is loaded, and removes the file it created
_EXPLODE = f"""
python3 -c 'import base64, pickle; pickle.loads(base64.b64decode("{{pickle}}"))'
{_FIND}
{_FIND} -delete
"""


def test_poison_among_good_records_is_set_aside_once_and_nothing_stops(steady: None) -> None:
    """1 % poison between a thousand good images, then nothing but poison, then good ones again."""
    assert on_machine("vm2", _EXPLODE.format(pickle=base64.b64encode(poison.PICKLE).decode())).split(), (
        "the pickle does nothing, so it proves nothing"
    )
    run, since = f"sec{int(time.time())}", time.time()
    kinds = poison.images(run, 10_000)
    twins, kinds = kinds[-2:], kinds[:-2]
    mixed = [poison.good(run, number) for number in range(1000)]
    for record in kinds:
        mixed.insert(random.Random(record.what).randrange(len(mixed)), record)
    row = [kinds[number % len(kinds)] for number in range(200)]
    end = [poison.good(run, number) for number in range(1000, 1100)]
    sent = [*mixed, *twins, *row, *end]
    bad_inferences = poison.inferences(run)
    bad = {("images", *place): record for record, place in zip(sent, send("producer", "images", sent), strict=True) if record.cause}
    bad |= {
        ("inferences", *place): record
        for record, place in zip(bad_inferences, send("inference", "inferences", bad_inferences), strict=True)
    }
    found = wait_until_judged(run, since, [record for record in sent if not record.cause], bad)
    check_letters(found, bad)
    shown = {}
    for (topic, partition, offset), record in bad.items():
        shown.setdefault((topic, record.what), f"refused {topic}/{partition}/{offset}: {record.cause}")
    for topic in ("images", "inferences"):
        mine = {what: text for (name, what), text in shown.items() if name == topic}
        lines = lines_of("vm2", f"quartet-db-consumer@{topic}", since, *mine.values())
        for what, line in zip(mine, lines, strict=True):
            refused(f"{topic}: {what}", "DB consumer: dead letters", line)
    for machine in ("vm2", "vm4"):
        assert on_machine(machine, _FIND) == "", "a pickle was loaded"


def test_a_header_whose_name_is_not_utf8_stops_no_consumer(steady: None) -> None:
    """Kafka keeps it, and kafka-python as it is cannot read past it; here it is refused, and its neighbours are stored."""
    run, since = f"sech{int(time.time())}", time.time()
    strange = poison.good(run, 0)
    strange = strange._replace(what="a header whose name is not UTF-8", cause="bad-header", headers=(*strange.headers, ("\xff\xfe", b"x")))
    sent = [poison.good(run, 1), strange, poison.good(run, 2)]
    bad = {("images", *place): record for record, place in zip(sent, send("producer", "images", sent), strict=True) if record.cause}
    check_letters(wait_until_judged(run, since, [sent[0], sent[2]], bad), bad)


_BOMB = """
import base64, pathlib
from kafka import KafkaAdminClient
from kafka.errors import for_code
from kafka.protocol.producer import ProduceRequest

admin = KafkaAdminClient(bootstrap_servers=order["kafka"], security_protocol="SASL_SSL", ssl_cafile=order["ca"], sasl_mechanism="SCRAM-SHA-512",
                         sasl_plain_username="producer", sasl_plain_password=pathlib.Path(order["password"]).read_text().strip(),
                         bootstrap_timeout_ms=10000, request_timeout_ms=60000)
data = ProduceRequest.TopicProduceData(name="images", partition_data=[
    ProduceRequest.TopicProduceData.PartitionProduceData(index=0, records=base64.b64decode(order["batch"]))])
request = ProduceRequest(transactional_id=None, acks=-1, timeout_ms=30000, topic_data=[data], min_version=3, max_version=9)
response = admin._manager.run(lambda: admin._manager.send(request, node_id=1))
found = response.responses[0].partition_responses[0]
answer = [for_code(found.error_code).__name__, found.error_message]
admin.close()
"""
_READERS = {"vm2": ["quartet-db-consumer@images", "quartet-db-consumer@inferences"], "vm4": ["quartet-inference"]}


def memory() -> dict[str, int]:
    """Return what the readers of the topics use (bytes)."""
    return {
        unit: int(on_machine(machine, f"systemctl show --value --property=MemoryCurrent {unit}"))
        for machine, units in _READERS.items()
        for unit in units
    }


@pytest.mark.parametrize("megabytes", [16, 64])
def test_a_gzip_bomb_is_refused_by_the_broker(steady: None, megabytes: int) -> None:
    """Less than max.message.bytes on the wire; the topic keeps records as they are, so the broker unpacks it, and sees its size."""
    batch = MemoryRecordsBuilder(magic=2, compression_type=1, batch_size=1 << 30)
    batch.append(timestamp=int(time.time() * 1000), key=b"sec", value=bytes(megabytes << 20), headers=[])
    batch.close()
    packed = bytes(batch.buffer())
    assert len(packed) < 262_144
    before = memory()
    error, message = python_on(
        "vm3", "producer", _BOMB, kafka=KAFKA, ca=CA, password=KAFKA_USERS["producer"][2], batch=base64.b64encode(packed).decode()
    )
    assert error in ("MessageSizeTooLargeError", "RecordTooLargeError", "RecordListTooLargeError"), (error, message)
    refused(f"a gzip bomb: {len(packed):,} bytes that are {megabytes} MiB", "broker: max.message.bytes", f"{error} {message or ''}")
    time.sleep(3)
    grown = {unit: used - before[unit] for unit, used in memory().items()}
    assert max(grown.values()) < 32 << 20, grown
