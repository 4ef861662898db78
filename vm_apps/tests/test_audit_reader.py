"""How records, documents and ledgers become evidence."""

import base64
import hashlib
import json
import zlib
from types import SimpleNamespace

import pytest
from quartet.audit.decoding import dead_letter_records, image_records, inference_records, result, stored_image
from quartet.audit.ledgers import read_ledgers
from quartet.audit.topics import topic_range, topic_records
from quartet.contracts.causes import Cause
from quartet.contracts.dead_letter import DeadLetter, encode_dead_letter
from quartet.contracts.image import Image, encode_image
from quartet.contracts.inference import Inference, encode_inference
from quartet.runtime.errors import ExitCode, QuartetError, Unavailable, exit_if_unavailable

IMAGE = Image(producer_id=101, run="a", sequence=7, actual_value="cat", captured_at=5, payload=b"x" * 3072)


def record(key, value, headers=(), **more):
    return SimpleNamespace(**{"key": key, "value": value, "headers": headers, "partition": 1, "offset": 2, "timestamp": 3, **more})


def test_images():
    key, value, headers = encode_image(IMAGE)
    good, bad = image_records(iter([record(key, value, headers), record(key, b"short", headers, offset=3)]))
    assert bad == {(1, 3)}
    assert (good[0].id, good[0].digest, good[0].appended_at) == (IMAGE.id, hashlib.sha256(IMAGE.payload).digest(), 3000)


def test_inferences():
    inference = Inference(
        id=IMAGE.id,
        run="a",
        sequence=7,
        image_prediction="dog",
        actual_value=None,
        producer_id=101,
        confidence=0.5,
        model="0123456789ab",
        captured_at=5,
        inferred_at=6,
    )
    good, bad = inference_records(iter([record(*encode_inference(inference)), record(b"", b"{}", offset=9)]))
    assert bad == {(1, 9)}
    assert (good[0].image_prediction, good[0].actual_value, good[0].offset) == ("dog", None, 2)


def test_there_is_one_dead_letter_per_record():
    letters = [
        DeadLetter(
            topic="images", partition=1, offset=offset, key=key, value=None, headers=(), cause=Cause.NULL_VALUE, detail="", refused_at=0
        )
        for offset, key in ((2, IMAGE.id.encode()), (2, IMAGE.id.encode()), (3, b"\xff"), (4, None))
    ]
    found = dead_letter_records(record(*encode_dead_letter(letter)) for letter in letters)
    assert [(d.offset, d.id, d.cause) for d in found] == [(2, IMAGE.id, "null-value"), (3, None, "null-value"), (4, None, "null-value")]


def test_documents():
    image = {
        "_id": IMAGE.id,
        "image": IMAGE.payload,
        "payload_sha256": IMAGE.payload_sha256,
        "producer_id": 101,
        "run": "a",
        "sequence": 7,
        "captured_at": 5,
        "received_at": 6,
        "kafka": {"topic": "images", "topic_id": "t", "partition": 1, "offset": 2},
    }
    stored = stored_image(image)
    assert (stored.actual_value, stored.digest.hex(), stored.offset) == (None, stored.payload_sha256, 2)
    counts = {"_id": 101, "producer_id": 101, "incorrect_count": 1, "total_count": 2, "model": "m", "updated_at": 9}
    assert result(counts).offsets is None
    assert result({**counts, "offsets": {"0": 4, "11": 5}}).offsets == {0: 4, 11: 5}


def test_ledgers(tmp_path):
    digests = b"".join(bytes([i]) * 32 for i in range(4))
    exported = {
        "producer_id": 101,
        "run": "a",
        "high_water": 4,
        "finished": None,
        "dataset": {"kind": "glyphs"},
        "acknowledged": [[0, 2], [3, 4]],
        "payload_sha256": base64.b64encode(zlib.compress(digests)).decode(),
    }
    file = tmp_path / "ledgers.json"
    file.write_text(json.dumps([exported]))
    (ledger,) = read_ledgers(file)
    assert list(ledger.acknowledged) == [0, 1, 3]
    assert (ledger.digest(3), ledger.digest(4), ledger.finished) == (b"\x03" * 32, None, None)


@pytest.mark.parametrize("content", ["", "{}x", "[{}]", '[{"producer_id": 1}]', "[1]"])
def test_what_is_no_ledger_is_refused(tmp_path, content):
    file = tmp_path / "ledgers.json"
    file.write_text(content)
    with pytest.raises(QuartetError) as caught:
        list(read_ledgers(file))
    assert caught.value.code is ExitCode.INPUT


def test_a_silent_server_is_an_exit_status():
    with pytest.raises(QuartetError) as caught, exit_if_unavailable():
        raise Unavailable("kafka", "away")
    assert caught.value.code is ExitCode.UNAVAILABLE


class Consumer:
    """Two partitions of four records; the reader must stop at the ends that it saw first."""

    def __init__(self):
        self.at = {}
        self.closed = False

    def partitions_for_topic(self, topic):
        return {0, 1} if topic == "t" else None

    def beginning_offsets(self, partitions):
        return {p: p.partition for p in partitions}

    def end_offsets(self, partitions):
        return dict.fromkeys(partitions, 3)

    def assign(self, partitions):
        self.at = dict.fromkeys(partitions, 0)

    def seek(self, partition, offset):
        self.at[partition] = offset

    def position(self, partition):
        return self.at[partition]

    def poll(self, timeout_ms):
        found = {}
        for partition, offset in self.at.items():
            if offset < 4:
                found[partition] = [SimpleNamespace(partition=partition.partition, offset=offset)]
                self.at[partition] += 1
        return found

    def close(self):
        self.closed = True


def test_a_topic_is_read_up_to_the_end_it_had():
    consumer = Consumer()
    extent = topic_range(consumer, "t")
    assert (extent.begin, extent.end) == ({0: 0, 1: 1}, {0: 3, 1: 3})
    places = sorted((r.partition, r.offset) for r in topic_records(consumer, "t", extent))
    assert places == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)]
    assert consumer.closed


def test_a_missing_topic_is_named():
    with pytest.raises(QuartetError, match="topic u does not exist"):
        topic_range(Consumer(), "u")
