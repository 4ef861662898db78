"""On a real broker: no record is skipped after its log lost its end, as a power loss takes it where appends are not flushed, and was filled again.

The broker is killed once. While it is down, logs are cut; when it is back, other records follow in all of them, beyond the commits.
"""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka import errors as kafka_errors
from kafka.structs import OffsetAndMetadata
from quartet.audit.evidence import LogCut
from quartet.audit.log_cuts import log_cuts
from quartet.kafka import client as kafka_client
from quartet.kafka.commits import MOST_RANGES, Note, commit_of, note_of
from quartet.kafka.group import GroupConsumer
from quartet.runtime.errors import ExitCode, QuartetError, Unavailable
from quartet.runtime.records import Partition, Record
from real_servers import PASSWORD, Broker, broker
from tls_server import Authority

READ, KEPT, REFILLED = 20, 12, 30
USER = "db_consumer"
CUT = ("starts", "runs", "rewinds")
WHOLE = ("whole", "older", "deleted")


@contextmanager
def member(server: Broker, topic: str, *, accept_loss: bool = False, instance: str = "one") -> Iterator[GroupConsumer]:
    """A consumer of a topic, in the group of the topic's name."""
    chosen = server.settings.model_copy(update={"user": USER})
    source = GroupConsumer(chosen, PASSWORD, topic, topic, instance, accept_loss=accept_loss)
    try:
        yield source
    finally:
        source.close()


def read(source: GroupConsumer, count: int, seconds: float = 30) -> list[Record]:
    """Return the next records, at least `count`, or those that came in time."""
    found: list[Record] = []
    end = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        try:
            found += source.poll(0.2, 100)
        except Unavailable:
            time.sleep(0.2)
    return found


def offsets(records: list[Record]) -> list[int]:
    return [record.offset for record in records]


def send(server: Broker, counts: Mapping[TopicPartition, int]) -> None:
    """Append records, each acknowledged, and so a batch, before the next is sent."""
    producer = kafka_client.connect_producer(server.settings, PASSWORD, linger_ms=0)
    try:
        for (topic, partition), count in counts.items():
            for number in range(count):
                producer.send(topic, b"%d" % number, partition=partition).get(20)
    finally:
        producer.close()


def committed(server: Broker, topic: str) -> OffsetAndMetadata:
    found = server.admin.list_group_offsets([topic])[topic]
    commit: OffsetAndMetadata = found[TopicPartition(topic, 0)]
    return commit


def commit(server: Broker, group: str, position: OffsetAndMetadata) -> None:
    """Commit for a group without members, as another tool does."""
    answers = server.admin.alter_group_offsets(group, {TopicPartition(group, 0): position})
    assert list(answers.values()) == [kafka_errors.NoError]


def cut(folder: Path) -> None:
    """Cut the log before record KEPT: https://kafka.apache.org/documentation/#recordbatch."""
    (log,) = folder.glob("*.log")
    content, at = log.read_bytes(), 0
    while struct.unpack_from(">q", content, at)[0] < KEPT:
        at += 12 + int(struct.unpack_from(">i", content, at + 8)[0])
    with log.open("r+b") as file:
        file.truncate(at)
    for pattern in ("*.index", "*.timeindex", "*.snapshot"):
        for file_ in folder.glob(pattern):
            file_.unlink()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("log")
    with broker(folder / "kafka", Authority(folder / "authority")) as running:
        # what db_consumer may of its topic and group (playbooks/group_vars/quartet/kafka.yml)
        rights = [{"principal": f"User:{USER}", "operations": ["read"], "resource": kind, "name": "*"} for kind in ("topic", "group")]
        running.create_users(rights, [USER])
        running.create_topics(dict.fromkeys((*CUT, *WHOLE, "anew", "anew-running"), 1) | {"shared": 2})
        yield running


@pytest.fixture(scope="module")
def running(server: Broker) -> Iterator[dict[str, GroupConsumer]]:
    """The consumers that run through all of it, after everything was read, the broker killed, logs cut, and filled again."""
    send(server, {TopicPartition(topic, 0): READ for topic in (*CUT, *WHOLE)})
    for topic in (*CUT, *WHOLE):
        if topic == "older":
            commit(server, topic, OffsetAndMetadata(READ, "", -1))
            continue
        with member(server, topic) as source:
            assert offsets(read(source, READ)) == list(range(READ))
            source.commit({Partition(topic, 0): READ})
    server.admin.delete_records({TopicPartition("deleted", 0): READ})
    with member(server, "runs") as runs, member(server, "rewinds") as rewinds:
        for source in (runs, rewinds):
            while not source.has_assignment():
                assert source.poll(0.2, 100) == []
            assert read(source, 1, seconds=1) == []
        rewinds.rewind({Partition("rewinds", 0): READ})
        server.stop(hard=True)
        read(rewinds, 1, seconds=0.5)
        for topic in CUT:
            cut(server.data / f"{topic}-0")
        server.start()
        send(server, {TopicPartition(topic, 0): REFILLED - (KEPT if topic in CUT else READ) for topic in (*CUT, *WHOLE)})
        yield {"runs": runs, "rewinds": rewinds}


def seen_by_the_auditor(server: Broker, topic: str) -> list[LogCut]:
    reader = kafka_client.connect_reader(server.settings, PASSWORD)
    try:
        return list(log_cuts(reader, topic, {0: committed(server, topic)}))
    finally:
        reader.close()


def refused(source: GroupConsumer, topic: str) -> str:
    """Return the message with which a consumer stops; it has returned no record."""
    with pytest.raises(QuartetError) as stopped:
        assert read(source, 1) == []
    assert stopped.value.code is ExitCode.DATA_LOST
    assert int(stopped.value.code) == 74
    assert f"{topic}/0" in str(stopped.value)
    assert "--accept-loss" in str(stopped.value)
    return str(stopped.value)


def names_the_cut(message: str) -> bool:
    return "what was read at offsets 12 to 19 is gone, and other records, of which none was read, are at offsets 12 to 29 now" in message


def test_a_consumer_that_starts_after_the_log_was_filled_again_stops(server: Broker, running: object) -> None:
    before = committed(server, "starts")
    for _ in range(2):
        with member(server, "starts") as source:
            assert names_the_cut(refused(source, "starts"))
    assert committed(server, "starts") == before
    assert (before.offset, before.leader_epoch) == (READ, 0)
    assert seen_by_the_auditor(server, "starts") == [LogCut("starts", 0, KEPT, READ)]
    assert [cut for topic in WHOLE for cut in seen_by_the_auditor(server, topic)] == []


def test_it_reads_what_it_had_not_read_once_the_loss_is_accepted(server: Broker, running: object, caplog: pytest.LogCaptureFixture) -> None:
    with member(server, "starts", accept_loss=True) as source:
        assert offsets(read(source, REFILLED - KEPT)) == list(range(KEPT, REFILLED))
    assert names_the_cut(caplog.text)
    # accepted once, it is no loss to the next start, although no record behind the cut is committed yet
    with member(server, "starts") as source:
        assert offsets(read(source, REFILLED - KEPT)) == list(range(KEPT, REFILLED))
        source.commit({Partition("starts", 0): REFILLED})
    assert seen_by_the_auditor(server, "starts") == [LogCut("starts", 0, KEPT, READ)], "for good"
    with member(server, "starts") as source:
        assert read(source, 1, seconds=1) == []


@pytest.mark.parametrize("topic", ["runs", "rewinds"])
def test_a_consumer_that_runs_meanwhile_and_has_read_nothing_new_stops(
    server: Broker, running: dict[str, GroupConsumer], topic: str
) -> None:
    assert names_the_cut(refused(running[topic], topic))
    assert committed(server, topic).offset == READ


@pytest.mark.parametrize("topic", WHOLE)
def test_a_log_that_lost_nothing_is_read_on_without_a_word(
    server: Broker, running: object, caplog: pytest.LogCaptureFixture, topic: str
) -> None:
    """Also with a commit of an earlier release or of another tool, and where retention has deleted everything that was read."""
    with caplog.at_level(logging.WARNING, "quartet"), member(server, topic) as source:
        assert offsets(read(source, REFILLED - READ)) == list(range(READ, REFILLED))
        source.commit({Partition(topic, 0): REFILLED})
    assert [record for record in caplog.records if record.name.startswith("quartet")] == []
    assert committed(server, topic).leader_epoch > 0


def test_a_topic_that_was_created_anew_is_named(server: Broker) -> None:
    """A broker deletes the commits with the topic; one that has lost its own records of them has not."""
    (topic,) = server.admin.describe_topics(["anew"])
    create_again(server, "anew")
    former = commit_of(READ, 0, Note(str(topic["topic_id"])))
    commit(server, "anew", former)
    with member(server, "anew") as source:
        assert "was created anew" in refused(source, "anew")
    assert committed(server, "anew") == former
    with member(server, "anew", accept_loss=True) as source:
        assert offsets(read(source, REFILLED)) == list(range(REFILLED))
    with member(server, "anew") as source:
        assert offsets(read(source, REFILLED)) == list(range(REFILLED))


def test_a_topic_that_is_created_anew_while_a_consumer_runs_is_named(server: Broker) -> None:
    send(server, {TopicPartition("anew-running", 0): READ})
    with member(server, "anew-running") as source:
        discarded: list[bool] = []
        source.on_revoke(lambda: discarded.append(True))
        read(source, READ)
        create_again(server, "anew-running", meanwhile=lambda: read(source, 1, seconds=1))
        assert f"what was read up to offset {READ} was of a topic with id" in refused(source, "anew-running")
        assert discarded


def create_again(server: Broker, topic: str, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Delete a topic, and create it again with more records than it had."""
    server.admin.delete_topics([topic])
    meanwhile()
    end = time.monotonic() + 20
    while True:
        try:
            server.create_topics({topic: 1})
            break
        except kafka_errors.TopicAlreadyExistsError:
            assert time.monotonic() < end
            time.sleep(0.2)
    send(server, {TopicPartition(topic, 0): REFILLED})


def test_a_partition_that_stays_through_a_rebalance_is_read_again_from_its_commit(server: Broker) -> None:
    """What was read of it and not committed was discarded before the rebalance; kafka-python would go on behind it."""
    send(server, {TopicPartition("shared", 0): READ, TopicPartition("shared", 1): READ})
    found: list[tuple[int, int]] = []
    end = time.monotonic() + 30

    def read_on(source: GroupConsumer) -> None:
        while len(found) < 2 * (READ - 5) and time.monotonic() < end:
            found.extend((record.partition, record.offset) for record in source.poll(0.5, 100))

    with member(server, "shared") as first, member(server, "shared", instance="two") as second:
        assert len(read(first, 2 * READ)) == 2 * READ
        first.commit({Partition("shared", 0): 5, Partition("shared", 1): 5})
        with ThreadPoolExecutor() as threads:
            for reading in [threads.submit(read_on, source) for source in (first, second)]:
                reading.result()
        assert first.has_assignment() and second.has_assignment()
    assert sorted(found) == [(partition, offset) for partition in (0, 1) for offset in range(5, READ)]


@pytest.mark.parametrize(
    "metadata",
    ["a note", "[]", "{}", '{"topic_id": 1}', '{"topic_id": "a", "topic_id": "b"}', '{"topic_id": "a", "x": 1}']
    + [f'{{"topic_id": "a", "lost": {lost}}}' for lost in ("1", "[1, 2]", "[[2, 1]]", '[[1, "2"]]', "[[1, 2, 3]]", "[[-1, 2]]")],
)
def test_what_another_tool_wrote_into_a_commit_is_not_used(caplog: pytest.LogCaptureFixture, metadata: str) -> None:
    assert note_of(OffsetAndMetadata(1, metadata, -1)) == Note()
    assert "is not Quartet's" in caplog.text


def test_a_note_comes_back_and_fits_into_a_commit() -> None:
    assert note_of(commit_of(1, 2, Note())) == Note()
    note = Note("an id", [(2**62 + one, 2**63 - 1) for one in range(2 * MOST_RANGES)])
    commit = commit_of(1, 2, note)
    assert note_of(commit) == Note("an id", note.lost[MOST_RANGES:])
    assert len(commit.metadata) < 4096
