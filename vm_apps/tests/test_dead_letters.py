"""The dead-letter topic is read to its end, whatever records it contains."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka import TopicPartition
from kafka.record import MemoryRecordsBuilder
from memory_broker import Faults, MemoryProducer, MemoryRecord
from quartet.audit import dead_letters
from quartet.contracts.causes import Cause, ContractError
from quartet.contracts.dead_letter import LARGEST_DEAD_LETTER, DeadLetter, decode_dead_letter, encode_dead_letter
from quartet.kafka import batches
from quartet.kafka import client as kafka_client
from quartet.runtime.errors import ExitCode, QuartetError

LETTER = DeadLetter(
    topic="images",
    partition=3,
    offset=17,
    key=b"k",
    value=b"v",
    headers=(("na\udcffme", b"1"),),
    cause=Cause.BAD_HEADER,
    detail="why",
    refused_at=1,
)


class Reader:
    """A consumer of one partition that holds these records."""

    def __init__(self, *contents: tuple[bytes | None, bytes | None]) -> None:
        self._records = [MemoryRecord("dead-letters", 0, at, key, value, []) for at, (key, value) in enumerate(contents)]
        self._position = 0

    def close(self) -> None: ...

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0}

    def assign(self, _partitions: Any) -> None: ...

    def seek_to_beginning(self, *_partitions: Any) -> None: ...

    def end_offsets(self, partitions: list[TopicPartition], *, timeout_ms: int) -> dict[TopicPartition, int]:
        return {partitions[0]: len(self._records)}

    def position(self, _partition: TopicPartition, *, timeout_ms: int) -> int:
        return self._position

    def poll(self, *, timeout_ms: int) -> dict[TopicPartition, list[MemoryRecord]]:
        self._position += 1
        return {TopicPartition("dead-letters", 0): [self._records[self._position - 1]]}


def test_a_record_that_is_not_a_dead_letter_is_named_and_the_rest_is_read() -> None:
    good = encode_dead_letter(LETTER)
    found = list(dead_letters.read(Reader((b"images/0/1", b"[" * 100), (None, None), good, good), "dead-letters"))
    assert [name for name, _ in found] == ["images/0/1", "(no key)", "images/3/17"]
    assert [type(letter) for _, letter in found] == [ContractError, ContractError, DeadLetter]
    assert found[2][1] == LETTER


def test_the_output_cannot_control_the_terminal() -> None:
    shown = dead_letters._printable("a\x1b[2J\ud800\nb é")
    assert shown == "a\\x1b[2J\\xd800\\x0ab é"
    shown.encode()


def arguments(tmp_path: Path, *words: str) -> argparse.Namespace:
    (tmp_path / "kafka-password").write_text("a password\n")
    (tmp_path / "mongodb-password").write_text("a password\n")
    names = ("image_database", "image_collection", "results_database", "inference_collection", "batch_collection", "stream_collection")
    server = {"user": "auditor", "ca_file": "ca.crt"}
    chosen = {
        "kafka": {**server, "bootstrap_servers": ["127.0.0.1:1"]},
        "mongodb": {**server, "hosts": ["127.0.0.1:1"]},
        "topics": {"images": "images", "inferences": "inferences", "dead_letters": "dead-letters"},
        "collections": dict.fromkeys(names, "x"),
        "groups": {"images": "a", "inferences": "b", "inference": "c"},
        "model": "0123456789ab",
        "batch_csv": "x",
        "batch_chart": "x",
        "credentials_directory": str(tmp_path),
    }
    (tmp_path / "auditor.json").write_text(json.dumps(chosen))
    parser = argparse.ArgumentParser()
    dead_letters.add_arguments(parser)
    return parser.parse_args([*words, f"--config={tmp_path / 'auditor.json'}"])


def test_redrive_sends_one_cause_of_one_topic_as_a_user_that_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [
        DeadLetter(
            topic="inferences", partition=0, offset=1, key=b"a", value=b"b", headers=(), cause=Cause.BAD_HEADER, detail="why", refused_at=1
        ),
        DeadLetter(topic="images", partition=0, offset=2, key=b"c", value=b"d", headers=(), cause=Cause.BAD_KEY, detail="", refused_at=1),
    ]
    reader = Reader(*(encode_dead_letter(letter) for letter in (LETTER, *others)))
    producer, users = MemoryProducer(Faults()), []
    monkeypatch.setattr(kafka_client, "connect_reader", lambda *_: reader)
    monkeypatch.setattr(kafka_client, "connect_producer", lambda chosen, *_, **__: (users.append(chosen.user), producer)[1])
    words = ["redrive", "--cause=bad-header", "--topic=images", "--user=producer", f"--credentials={tmp_path}"]
    with pytest.raises(QuartetError, match="--user"):
        dead_letters.run(arguments(tmp_path, *words[:3]))
    assert dead_letters.run(arguments(tmp_path, *words)) is ExitCode.OK
    assert producer.sent == [("images", b"k", b"v")]
    assert users == ["producer"]
    assert "1 dead letters sent again" in capsys.readouterr().out


TOPICS = {
    row["name"]: int(row["config"].split("'max.message.bytes': '")[1].split("'")[0])
    for row in yaml.safe_load((Path(__file__).parents[2] / "playbooks/group_vars/quartet/kafka.yml").read_text())["kafka_topics"]
}
LARGEST_REFUSED = TOPICS["{{ quartet_image_topic }}"]
LARGEST_LETTER = TOPICS["{{ quartet_dead_letter_topic }}"]


def batch_bytes(key: bytes | None, value: bytes | None, headers: list[tuple[Any, Any]]) -> int:
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1)
    builder.append(timestamp=2**40, key=key, value=value, headers=headers)
    return int(builder.size_in_bytes())


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (bytes(LARGEST_REFUSED - 120), []),
        (None, [("x", bytes(LARGEST_REFUSED - 120))]),
        (None, [(batches.header_name(b"\xff" * (LARGEST_REFUSED - 120)), None)]),
        (None, [("\x01" * (LARGEST_REFUSED - 120), None)]),
        (None, [("", None)] * ((LARGEST_REFUSED - 120) // 2)),
        (None, [(batches.header_name(b"\xff"), None)] * ((LARGEST_REFUSED - 120) // 3)),
    ],
    ids=["a value", "a header", "a name that is not UTF-8", "a name of control characters", "empty headers", "short names"],
)
def test_the_largest_record_that_can_be_refused_fits_into_the_dead_letter_topic(
    value: bytes | None, headers: list[tuple[Any, Any]]
) -> None:
    assert LARGEST_REFUSED - 200 < batch_bytes(b"k", value, headers) <= LARGEST_REFUSED
    letter = DeadLetter(
        topic="t" * 249,
        partition=11,
        offset=2**63 - 1,
        key=b"k",
        value=value,
        headers=tuple(headers),
        cause=Cause.BAD_HEADER,
        detail="\U0001f600" * 5000,
        refused_at=2**63 - 1,
    )
    key, body = encode_dead_letter(letter)
    assert batch_bytes(key, body, []) <= min(LARGEST_LETTER, LARGEST_DEAD_LETTER)
    assert decode_dead_letter(body).headers == tuple(headers)
