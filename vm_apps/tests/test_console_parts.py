"""The console's parts: PNG, sampling, the wall, the event queues, ages, tiles, traces, and the files of others that it serves."""

import asyncio
import hashlib
import io
import json
import re
import threading
import time
from pathlib import Path

import pytest
from default_names import GROUPS, MODEL
from PIL import Image as PillowImage
from quartet.console import questions, snapshot
from quartet.console.hub import MOST_PAGES, QUEUE_EVENTS, Closed, Full, Hub, encode_event
from quartet.console.png import encode_png
from quartet.console.poller import Poller
from quartet.console.prometheus_api import Sample, Series
from quartet.console.readings import FORGET_SECONDS, Readings
from quartet.console.sampler import Sampler
from quartet.console.trace import find_trace
from quartet.console.units import level, stage_units, unit_rows
from quartet.console.wall import SIZE, Wall
from quartet.console.web import STATIC
from quartet.contracts.causes import ContractError
from quartet.contracts.inference import Inference
from quartet.runtime.errors import Unavailable
from running_console import TOPICS
from simulated_pipeline import SimulatedPipeline, gradient


def inference(sequence: int, *, wrong: bool = False, truth: str | None = "cat") -> Inference:
    return Inference(
        id=f"101-first-{sequence:012d}",
        run="first",
        sequence=sequence,
        image_prediction="dog" if wrong else "cat",
        actual_value=truth,
        producer_id=101,
        confidence=0.75,
        model=MODEL,
        captured_at=1_000_000,
        inferred_at=1_030_000 + sequence,
    )


def test_a_png_has_the_pixels_of_the_payload() -> None:
    payload, _ = gradient(101, 7)
    shown = PillowImage.open(io.BytesIO(encode_png(payload)))
    assert (shown.size, shown.mode) == ((32, 32), "RGB")
    assert b"".join(channel.tobytes() for channel in shown.split()) == payload
    with pytest.raises(ValueError, match="3072"):
        encode_png(payload[:-1])


def test_wrong_inferences_are_preferred_up_to_half() -> None:
    sampler = Sampler(4)
    sampler.offer([inference(n, wrong=n % 10 == 0) for n in range(100)])
    assert [found.sequence for found in sampler.take()] == [80, 90, 98, 99]
    assert sampler.take() == []
    sampler.offer([inference(n, wrong=True) for n in range(9)])
    assert [found.sequence for found in sampler.take()] == [5, 6, 7, 8]
    sampler.offer([inference(1), inference(2, wrong=True, truth=None)])
    assert [found.is_incorrect for found in sampler.take()] == [False, False]


def test_the_wall_keeps_the_newest_and_knows_what_is_stored() -> None:
    wall = Wall()
    wall.add([inference(n) for n in range(SIZE + 10)])
    assert next(row["id"] for row in wall.pictures()) == inference(10).id
    assert wall.add([inference(20)]) == []
    assert len(wall.waiting()) == SIZE
    assert wall.store({inference(12).id: gradient(101, 12)[0]}) == [inference(12).id]
    assert inference(12).id not in wall.waiting()
    assert wall.image(inference(12).id) == encode_png(gradient(101, 12)[0])
    for n in range(100, 500):
        wall.store({inference(n).id: gradient(101, n)[0]})
    assert wall.image(inference(12).id) is None


def test_a_slow_page_loses_its_oldest_events_and_the_others_none() -> None:
    async def check() -> None:
        hub = Hub()
        slow, quick = hub.subscribe({"first": 1}), hub.subscribe({})
        await quick.next(1)
        for number in range(QUEUE_EVENTS + 4):
            hub.publish("tiles", {"number": number})
            assert json.loads((await quick.next(1) or b"").split(b"data: ")[1])["number"] == number
        assert (slow.dropped, quick.dropped, hub.dropped) == (5, 0, 5)
        assert b'"number":4}' in (await slow.next(1) or b"")
        assert await quick.next(0.01) is None
        for _ in range(MOST_PAGES - 2):
            hub.subscribe({})
        with pytest.raises(Full):
            hub.subscribe({})
        hub.unsubscribe(quick)
        assert hub.pages == MOST_PAGES - 1
        hub.close()
        with pytest.raises(Closed):
            await slow.next(1)

    asyncio.run(check())


def test_a_line_break_in_a_text_does_not_end_an_event() -> None:
    assert encode_event("tiles", 3, {"a": "x\n\ny"}) == b'event: tiles\nid: 3\ndata: {"a":"x\\n\\ny"}\n\n'


def test_a_reading_grows_old_keeps_its_reason_and_is_forgotten() -> None:
    now = [100.0]
    readings = Readings(lambda: now[0])
    readings.succeed("a", 5)
    now[0] += 20
    readings.fail("a", "gone")
    assert (readings.get("a").value, readings.get("a").at, readings.get("a").why) == (5, 100.0, "gone")
    now[0] += FORGET_SECONDS
    assert (readings.get("a").value, readings.get("a").at, readings.get("a").why) == (None, None, "gone")
    assert readings.get("b").why == "not read yet"


def test_a_poller_goes_on_after_a_failure_and_ends_at_a_bug() -> None:
    turns, reasons = [], []

    def turn() -> None:
        turns.append(1)
        if len(turns) == 1:
            raise Unavailable("mongodb", "asleep")
        raise KeyError("a bug")

    poller = Poller("x", turn, 0.01, reasons.append)
    poller.start()
    poller.join(10)
    assert (len(turns), reasons) == (2, ["mongodb: asleep"])
    assert isinstance(poller.crash, KeyError)


def test_a_slow_count_is_repeated_less_often() -> None:
    poller = Poller("x", lambda: time.sleep(0.02), 0, lambda _: None, share=0.05)
    threading.Timer(0.1, poller.stop).start()
    poller.start()
    poller.join(10)
    assert 0.3 < poller.pause_seconds < 3


@pytest.mark.parametrize(
    ("name", "state", "expected"),
    [
        ("kafka.service", "active", "up"),
        ("kafka.service", "inactive", "down"),
        ("quartet-inference.service", "failed", "down"),
        ("quartet-inference.service", "activating", "changing"),
        ("quartet-producer@101.service", "inactive", "resting"),
        ("quartet-producer@101.service", "failed", "down"),
        ("quartet-spark-batch.service", "activating", "resting"),
    ],
)
def test_what_the_state_of_a_unit_means(name: str, state: str, expected: str) -> None:
    assert level(name, state) == expected


def test_the_troubled_unit_of_a_stage_is_named() -> None:
    states = {"mongod": "active", "quartet-db-consumer@images": "failed", "quartet-db-consumer@inferences": "active", "x.timer": "inactive"}
    rows = unit_rows(
        Sample({"name": f"{name}.service" if "." not in name else name, "host": "vm2", "state": s}, 1) for name, s in states.items()
    )
    assert [row["name"] for row in rows] == ["quartet-db-consumer@images", "mongod", "quartet-db-consumer@inferences"]
    assert stage_units("database", rows) == {"level": "down", "text": "quartet-db-consumer@images failed"}
    assert stage_units("kafka", rows) is None
    assert stage_units("producer", [{"name": "quartet-producer@101", "host": "", "state": "inactive", "level": "resting"}]) == {
        "level": "resting",
        "text": "finished",
    }


def read(pipeline: SimulatedPipeline, now: float, *names: str) -> Readings:
    readings = Readings(lambda: now)
    values = {
        "metrics": lambda: questions.answers(pipeline.query(questions.now(TOPICS))),
        "stored": pipeline.stored,
        "results": pipeline.results,
        "alerts": pipeline.alerts,
        "tail": lambda: {"rate": 12.5, "end": 9},
    }
    for name in names or values:
        readings.succeed(name, values[name]())
    return readings


def test_tiles_of_a_healthy_pipeline() -> None:
    found = snapshot.tiles(read(SimulatedPipeline(), 50.0), GROUPS, 51.0)
    stages = {row["stage"]: row for row in found["stages"]["rows"]}
    assert stages["producer"]["rate"] == pytest.approx(40, rel=0.05)
    assert (stages["database"]["behind"], stages["database"]["unread"]) == (0.04, 7)
    assert (stages["spark"]["behind"], stages["kafka"]["brokers"]) == (2.4, 1)
    assert stages["producer"]["units"] == {"level": "up", "text": "2 of 2 active"}
    assert found["alerts"]["rows"] == []
    first, second = found["producers"]["rows"]
    assert (first["id"], first["stored"], first["pending"], first["wrong_batch"]) == (101, 2000, 3, 120)
    assert second["share"] == pytest.approx(0.4, abs=0.001)
    assert first["sent"] == 2002


def test_what_is_unknown_is_none_and_says_why() -> None:
    readings = read(SimulatedPipeline(), 50.0, "stored", "tail")
    readings.fail("metrics", "prometheus: does not answer")
    found = snapshot.tiles(readings, GROUPS, 51.0)
    stages = {row["stage"]: row for row in found["stages"]["rows"]}
    assert (
        stages["inference"] | {"rate": 12.5, "at": 50.0, "why": None, "behind": None, "unread": None, "units": None} == stages["inference"]
    )
    assert (stages["producer"]["rate"], stages["producer"]["why"]) == (None, "prometheus: does not answer")
    assert found["units"]["rows"] is None
    assert [found["producers"]["rows"][0][name] for name in ("sent", "stored", "wrong_stream", "share")] == [None, 2000, None, None]
    stale = snapshot.tiles(read(SimulatedPipeline(), 50.0), GROUPS, 70.0)
    assert {row["sent"] for row in stale["producers"]["rows"]} == {None}
    assert json.dumps(stale, allow_nan=False)


def test_alerts_come_in_order_and_the_dead_mans_switch_is_none() -> None:
    pipeline = SimulatedPipeline()
    pipeline.alerts_now = [
        {"labels": {"alertname": name, "severity": severity, "host": "vm4"}, "state": state, "annotations": {"action": "do it"}}
        for name, severity, state in (("C", "critical", "pending"), ("B", "warning", "firing"), ("A", "critical", "firing"))
    ]
    rows = snapshot.tiles(read(pipeline, 50.0), GROUPS, 51.0)["alerts"]["rows"]
    assert [(row["name"], row["about"], row["action"]) for row in rows] == [(name, "host vm4", "do it") for name in "ABC"]


def test_a_chart_has_a_gap_where_nothing_is_known() -> None:
    end = 10_000
    found = questions.chart_data([Series({"question": "sent"}, {end: 5.00001, end - 10: None})], GROUPS, end)
    sent, *others = found["throughput"]
    assert (found["times"][0], found["times"][-1]) == (end - questions.RANGE_SECONDS, end)
    assert sent["values"][-3:] == [None, None, 5.0]
    assert all(value is None for line in [*others, *found["lag"], *found["latency"]] for value in line["values"])


def test_one_expression_carries_all_questions() -> None:
    text = questions.now(TOPICS)
    assert text.count("label_replace(") == text.count(" or ") + 1 == len(re.findall(r'"question", "(\w+)"', text))
    assert questions.answers([Sample({"question": "sent"}, 1.0), Sample({"question": "sent"}, 2.0)])["sent"][1].value == 2.0


def test_a_trace_tells_the_steps_in_order() -> None:
    pipeline = SimulatedPipeline()
    made = pipeline.read(0.1)[0]
    found = find_trace(pipeline, made.id)
    assert found is not None
    assert [step["name"] for step in found["steps"]] == ["captured", "image stored", "classified", "inference stored", "counted"]
    assert found["steps"][-1]["detail"].endswith("the stream has counted it")
    pipeline.unstored.add(made.id)
    assert (find_trace(pipeline, made.id) or {})["stored"] is False
    assert find_trace(pipeline, "101-other-000000000001") is None
    with pytest.raises(ContractError):
        find_trace(pipeline, "../x")


def test_the_chart_library_is_the_published_one_with_its_licence() -> None:
    """uPlot 1.6.32 from npm, unchanged."""
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (STATIC / "vendor").iterdir()}
    assert digests == {
        "LICENSE.uPlot": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
        "uPlot.esm.js": "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba",
        "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    }


def test_the_page_names_no_other_host_and_sets_no_html() -> None:
    own = [path for path in Path(STATIC).iterdir() if path.suffix in (".js", ".html", ".css")]
    assert len(own) > 12
    for path in own:
        text = path.read_text()
        assert not re.findall(r"https?:|//[a-z]+\.[a-z]+/", text), path.name
        assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|\bstyle=|\son[a-z]+=", text), path.name
