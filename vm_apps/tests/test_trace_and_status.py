"""The output of trace and status, from synthetic evidence."""

import hashlib
import json
from dataclasses import replace

from pipeline_evidence import MODEL, dead_letter, good_run, image_id, inference
from quartet.audit import status, trace
from quartet.audit.evidence import Result

PAYLOAD = bytes(1024) + b"\xff" * 2048
DOCUMENT = {
    "_id": image_id(102, 1),
    "image": PAYLOAD,
    "payload_sha256": hashlib.sha256(PAYLOAD).hexdigest(),
    "actual_value": "cat",
    "captured_at": 1_000_000,
    "received_at": 1_020_000,
    "kafka": {"topic": "images", "partition": 1, "offset": 3},
}
RECORD = inference(next(r for r in good_run().images if r.id == image_id(102, 1)), 3)
STREAM = Result(102, 6, 3, MODEL, 1, {0: 6, 1: 6})
TRACE = trace.ImageTrace(image_id(102, 1), MODEL, DOCUMENT, {"kafka": {"partition": 1, "offset": 3}}, [RECORD], [], STREAM)


def test_a_complete_trace():
    text = "\n".join(trace.lines(TRACE))
    assert "label      cat" in text
    assert "images partition 1 offset 3" in text
    assert "1970-01-01 00:00:01.020000 UTC (+20.0 ms)" in text
    assert "dog (0.900) by 0123456789ab" in text
    assert "counted    as wrong (cat classified as dog); the stream has counted it" in text


def test_not_counted():
    assert trace.counted(replace(TRACE, log=[])).startswith("no: there is no inference")
    assert trace.counted(replace(TRACE, log=[replace(RECORD, actual_value=None)])) == "no: the image has no label"
    assert "not reached it yet" in trace.counted(replace(TRACE, stream=None))
    assert "as right" in trace.counted(replace(TRACE, log=[replace(RECORD, image_prediction="cat")]))


def test_a_refused_image():
    letter = dead_letter(next(r for r in good_run().images if r.id == image_id(102, 1)))
    text = "\n".join(trace.lines(replace(TRACE, document=None, inference=None, log=[], dead_letters=[letter])))
    assert "stored     no" in text
    assert "refused    images partition 1 offset 3: database-rejected" in text


def test_a_second_inference_is_shown_and_not_counted():
    assert "again: not counted" in "\n".join(trace.lines(replace(TRACE, log=[RECORD, replace(RECORD, offset=9)])))


def test_altered_bytes_are_seen():
    assert "BYTES DIFFER" in "\n".join(trace.lines(replace(TRACE, document={**DOCUMENT, "image": bytes(3072)})))


def test_the_picture_is_32_by_16():
    drawn = trace.ascii_art(b"\xff" * 3072)
    assert (len(drawn), {len(line) for line in drawn}, set("".join(drawn))) == (16, {32}, {"@"})


def pipeline_status(**fields):
    good = good_run()
    base = status.PipelineStatus(
        MODEL,
        good.topics,
        "images",
        "inferences",
        "dead-letters",
        good.committed,
        good.stream,
        good.batch,
        {"images": 12, "inferences": 11},
        {"bad-json": 2},
        {"database": "MongoDB"},
    )
    return replace(base, **fields)


def test_drained():
    assert status.unfinished_work(pipeline_status()) == []


def test_what_is_left():
    late = pipeline_status(committed={"images": {0: 6, 1: 5}, "inferences": {0: 6, 1: 6}}, stream=[])
    assert status.unfinished_work(late) == ["1 images to store", "12 images to classify", "12 inferences to count by the stream"]


def test_status_lines():
    text = "\n".join(status.lines(pipeline_status()))
    assert "database     MongoDB" in text
    assert "12 images, 11 inferences of 0123456789ab, 1 pending" in text
    assert "refused      2 bad-json" in text
    assert "producer 102: 3 of 6 wrong" in text
    assert "images: 12 records in 2 partitions" in text


def test_status_as_json():
    found = json.loads(json.dumps(status.as_json(pipeline_status(committed={"images": {0: 6, 1: 5}, "inferences": {0: 6, 1: 6}}))))
    assert found["records"] == {"images": 12, "inferences": 12}
    assert found["unread"] == {"images": 1, "inference": 12, "inferences": 0, "stream": 0}
    assert (found["pending"], found["refused"]) == (1, {"bad-json": 2})
    assert found["wrong"]["stream"]["102"] == {"incorrect": 3, "counted": 6, "model": MODEL}


def test_metrics():
    text = '# HELP x\nquartet_images_per_second 5.0\nprocess_cpu 1\nquartet_build_info{app="inference"} 1.0\n'
    assert len(status.metrics_lines([text])) == 2
