"""Real batches that a broker accepts and kafka-python does not: parsed, refused with their cause, and their neighbours processed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords, MemoryRecordsBuilder
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c
from memory_broker import Faults, MemoryHost, MemoryProducer, MemorySource, MemoryStore, MemoryTopic
from quartet.contracts.causes import Cause
from quartet.contracts.dead_letter import decode_dead_letter
from quartet.contracts.image import IMAGE_BYTES, Image, decode_image, encode_image
from quartet.db_consumer.documents import ImageDocuments
from quartet.db_consumer.store import StoreStrategy
from quartet.kafka import batches
from quartet.kafka.dead_letters import DeadLetterWriter
from quartet.runtime.errors import ExitCode
from quartet.worker.loop import Worker

batches.patch_batch_parser()
Headers = Sequence[tuple[str, bytes | None]]


def image(sequence: int, *more: tuple[str, bytes | None]) -> tuple[bytes, bytes, Headers]:
    key, value, headers = encode_image(
        Image(producer_id=101, run="first", sequence=sequence, actual_value="cat", captured_at=1, payload=bytes(IMAGE_BYTES))
    )
    return key, value, [*headers, *more]


def batch(
    *records: tuple[bytes | None, bytes | None, Headers], first: int = 0, corrupt: Callable[[bytearray], None] | None = None
) -> bytes:
    """Return a batch as the broker keeps it: with its first offset, and a checksum that is right."""
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1 << 20)
    for key, value, headers in records:
        assert builder.append(timestamp=1_000, key=key, value=value, headers=list(headers))
    builder.close()
    content = bytearray(builder.buffer())
    struct.pack_into(">q", content, 0, first)
    if corrupt:
        corrupt(content)
        checksum = calc_crc32c(memoryview(content)[DefaultRecordBatchBuilder.ATTRIBUTES_OFFSET :])
        struct.pack_into(">I", content, DefaultRecordBatchBuilder.CRC_OFFSET, checksum)
    return bytes(content)


def fetched(*batches: bytes) -> list[Any]:
    """Return the consumer's records, as kafka-python's fetcher makes them of what the broker sends."""
    part = Fetcher.PartitionRecords(0, TopicPartition("images", 0), MemoryRecords(bytearray(b"".join(batches))))
    return list(part.take())


def after_length(content: bytearray, further: int) -> int:
    """Return the place of a byte of the first record, counted from its attributes."""
    at = DefaultRecordBatchBuilder.header_size_in_bytes()
    while content[at] & 0x80:
        at += 1
    return at + 1 + further


def test_a_name_that_is_not_utf8_is_read_and_kept() -> None:
    odd = batches.header_name(b"na\xffme")
    good, bad, last = fetched(batch(image(0)), batch(image(1, (odd, b"x")), first=1), batch(image(2), first=2))
    assert [record.offset for record in (good, bad, last)] == [0, 1, 2]
    assert bad.headers[-1] == ("na\udcffme", b"x")
    assert bad.headers[-1][0].encode() == b"na\xffme"


def test_it_becomes_a_dead_letter_and_its_neighbours_are_stored() -> None:
    odd = batches.header_name(b"na\xffme")
    records = fetched(batch(image(0), image(1, (odd, b"x")), image(2)))
    faults, topic = Faults(), MemoryTopic("images", 1)
    topic.records[0] = records
    store, letters = MemoryStore(faults), MemoryProducer(faults)
    strategy = StoreStrategy(
        ImageDocuments(),
        store,
        DeadLetterWriter(lambda: letters, "dead-letters"),
        topic_id=lambda: "a-topic-id",
        rejections_per_minute=100,
    )
    host = MemoryHost(topic.is_drained)
    assert Worker(host, MemorySource(topic, faults), strategy, batch_size=10, batch_seconds=0).run() is ExitCode.OK
    assert sorted(store.documents) == ["101-first-000000000000", "101-first-000000000002"]
    [letter] = [decode_dead_letter(value) for _, _, value in letters.sent]
    assert (letter.offset, letter.cause) == (1, Cause.BAD_HEADER)
    assert batches.HeaderName(letter.headers[-1][0]).encode() == b"na\xffme"


def test_reserved_attributes_are_passed_over() -> None:
    def corrupt(content: bytearray) -> None:
        content[after_length(content, 0)] = 0x80

    [record] = fetched(batch(image(0), corrupt=corrupt))
    assert decode_image(record.key, record.value, record.headers).sequence == 0


@pytest.mark.parametrize("claimed", [10, -10, 63])
def test_an_offset_is_the_brokers_not_the_records(claimed: int) -> None:
    def corrupt(content: bytearray) -> None:
        content[after_length(content, 2)] = (claimed << 1) ^ (claimed >> 63)

    records = fetched(batch(image(0), image(1), first=7, corrupt=corrupt), batch(image(2), first=9))
    assert [record.offset for record in records] == [7, 8, 9]


def test_a_corrupt_record_is_not_accepted() -> None:
    def corrupt(content: bytearray) -> None:
        content[after_length(content, 3)] = 2  # the key's length

    with pytest.raises(CorruptRecordError):
        fetched(batch(image(0), corrupt=corrupt))


def test_good_records_are_read_as_kafka_python_reads_them() -> None:
    rows: list[tuple[bytes | None, bytes | None, Headers]] = [
        image(0),
        (None, None, []),
        (b"", b"", [("é", None), ("", b"")]),
        (b"k" * 200, b"v" * 70_000, [("n" * 300, b"c" * 300)]),
    ]
    records = fetched(batch(*rows, first=2**40))
    assert [(record.key, record.value, record.headers) for record in records] == [
        (key, value, list(headers)) for key, value, headers in rows
    ]
    assert [record.offset for record in records] == [2**40 + at for at in range(4)]
    assert {record.timestamp for record in records} == {1_000}
