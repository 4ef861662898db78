"""The producer: what it sends, counts and records when Kafka fails, is silent, or the process is asked to stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka import errors as kafka_errors
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata
from metric_values import growth
from PIL import Image
from quartet.producer import sender
from quartet.producer.ledger import Ledger, export
from quartet.producer.order import Order
from quartet.producer.sender import Producer
from quartet.producer.slices import SlicedImages
from quartet.runtime.errors import ExitCode, QuartetError, Unavailable
from quartet.runtime.settings import ProducerSettings

#: Offset, timestamp and no error: what the client's thread completes a batch with
ACKNOWLEDGED = (0, None, None)


class Host:
    """A process that a test stops (quartet.runtime.service.Service)."""

    def __init__(self) -> None:
        self.stopping = False
        self.lines: list[str] = []

    def feed_watchdog(self) -> None:
        pass

    def status(self, text: str, *, now: bool = False) -> None:
        self.lines.append(text)

    def sleep(self, seconds: float) -> None:
        pass


class Client:
    """Takes records and completes each as `answer` says: None = acknowledged, an error = failed, "later" = not yet."""

    def __init__(self, answer: Callable[[int], object]) -> None:
        self.answer = answer
        self.sent: list[int] = []
        self.waiting: list[FutureProduceResult] = []
        self.closed = False

    def send(self, topic: str, *, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> FutureRecordMetadata:
        sequence = int(dict(headers)["sequence"])
        self.sent.append(sequence)
        produced = FutureProduceResult(TopicPartition(topic, 0))
        future = FutureRecordMetadata(produced, 0, None, None, len(key), len(value), 0)
        answer = self.answer(sequence)
        if answer is None:
            produced.success(ACKNOWLEDGED)
        elif isinstance(answer, BaseException):
            produced.failure(answer)
        else:
            self.waiting.append(produced)
        return future

    @property
    def _sender(self) -> Client:
        return self

    def close(self, timeout: float | None = None) -> None:
        if self.waiting:
            raise kafka_errors.KafkaTimeoutError("Timeout waiting for future")

    def force_close(self) -> None:
        self.closed = True


class Camera:
    """A producer with ten images, whose ledger outlives its processes."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.state.mkdir()
        (folder / "images" / "cat").mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (32, 32), (number, 0, 0)).save(folder / "images" / "cat" / f"{number}.png")
        self.settings: dict[str, Any] = {
            "kafka": {"bootstrap_servers": ["10.0.0.3:9093"], "user": "producer", "ca_file": "/nowhere"},
            "topics": {"images": "images", "inferences": "inferences", "dead_letters": "dead-letters"},
            "producer_id": 101,
            "dataset": {"kind": "folder", "path": str(folder / "images")},
            "metrics_port": 9301,
        }
        self.host = Host()
        self.clients: list[Client] = []

    def run(self, answer: Callable[[int], object] = lambda _: None, connect: Callable[[], Any] | None = None, **change: Any) -> ExitCode:
        """Run one process."""
        self.host = Host()
        chosen = ProducerSettings.model_validate({**self.settings, "count": 10, **change})
        images = SlicedImages(chosen)
        ledger = Ledger(self.state, 101, chosen.run, images.binding)

        def connected() -> Client:
            self.clients.append(Client(answer))
            return self.clients[-1]

        try:
            order = Order.read(self.state, chosen)
            return Producer(self.host, chosen, connect or connected, images=images, ledger=ledger, order=order).run()  # type: ignore[arg-type]
        finally:
            ledger.close()

    def stop(self) -> None:
        self.host.stopping = True

    def written(self) -> tuple[Any, Any]:
        """Return what the ledger says: acknowledged ranges and the count that the run was finished with."""
        (ledger,) = export(self.state)
        return ledger["acknowledged"], ledger["finished"]


@pytest.fixture
def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Camera:
    monkeypatch.setattr(sender, "_STOP_SECONDS", 0.2)
    return Camera(tmp_path)


def test_a_run_is_sent_acknowledged_and_finished(camera: Camera) -> None:
    assert camera.run() is ExitCode.OK
    assert camera.clients[0].sent == list(range(10))
    assert camera.written() == ([(0, 10)], 10)


def test_no_image_is_taken_before_kafka_is_there(camera: Camera) -> None:
    attempts = [Unavailable("kafka", "no answer in time"), Unavailable("kafka", "no answer in time"), None]
    begun: list[int] = []

    def connect() -> Client:
        begun.append(len(list(camera.state.glob("ledger-*"))))
        if error := attempts[len(begun) - 1]:
            raise error
        camera.clients.append(Client(lambda _: None))
        return camera.clients[-1]

    assert camera.run(connect=connect) is ExitCode.OK
    # the ledger's files of acknowledgements and digests exist from the start; its state file is written with the first image
    assert begun == [2, 2, 2]
    assert camera.written() == ([(0, 10)], 10)


@pytest.mark.parametrize("rate", [0.0, 1000.0], ids=["at once", "at a rate"])
def test_a_stopped_producer_ends_well_and_counts_only_what_it_sent(camera: Camera, rate: float) -> None:
    def stop_at_the_fourth(sequence: int) -> None:
        if sequence == 3:
            camera.stop()

    assert camera.run(stop_at_the_fourth, rate=rate) is ExitCode.OK
    assert camera.clients[0].sent == [0, 1, 2, 3]
    assert camera.written() == ([(0, 4)], None)
    assert camera.run() is ExitCode.OK
    assert camera.clients[1].sent == [4, 5, 6, 7, 8, 9]
    assert camera.written() == ([(0, 10)], 10)


def test_a_producer_that_is_stopped_before_kafka_was_there_ends_well(camera: Camera) -> None:
    tried: list[None] = []

    def away() -> Client:
        tried.append(None)
        if len(tried) == 3:
            camera.stop()
        raise Unavailable("kafka", "no answer in time")

    assert camera.run(connect=away) is ExitCode.OK
    assert any("waiting, nothing is lost: kafka: no answer in time" in line for line in camera.host.lines)
    assert export(camera.state) == []


def test_a_stop_waits_for_acknowledgements_for_so_long_and_what_is_left_is_sent_at_the_next_start(camera: Camera) -> None:
    def answer(sequence: int) -> object:
        if sequence == 7:
            camera.stop()
        return "later" if sequence in (2, 5) else None

    assert camera.run(answer) is ExitCode.FAILED
    # An acknowledgement behind one that is missing is not counted: it is sent again, which changes nothing.
    assert camera.written() == ([(0, 2)], None)
    assert camera.run() is ExitCode.OK
    assert camera.clients[1].sent == list(range(2, 10))


def test_what_failed_is_sent_again_by_a_new_client(camera: Camera) -> None:
    sent, acknowledged, failed = (
        growth(f"quartet_producer_{name}_total", producer_id="101") for name in ("sent", "acknowledged", "failed")
    )
    failing = {1: kafka_errors.KafkaTimeoutError("expired"), 4: kafka_errors.KafkaTimeoutError("expired")}
    assert camera.run(lambda sequence: failing.pop(sequence, None)) is ExitCode.OK
    assert [client.sent for client in camera.clients] == [list(range(10)), [1, 4]]
    assert camera.written() == ([(0, 10)], 10)
    assert (sent(), acknowledged(), failed()) == (12, 10, 2)


def test_a_client_that_gave_up_on_a_record_and_is_stuck_with_the_others_is_given_up(camera: Camera) -> None:
    answers: dict[int, Any] = {3: kafka_errors.KafkaTimeoutError("expired"), 5: "later", 8: "later"}
    assert camera.run(lambda sequence: answers.pop(sequence, None)) is ExitCode.OK
    # The records behind one that is in flight were not processed yet.
    assert [client.sent for client in camera.clients] == [list(range(10)), [3, *range(5, 10)]]
    assert camera.clients[0].closed
    assert camera.written() == ([(0, 10)], 10)


def test_a_client_that_is_silent_for_longer_than_a_send_may_take_is_given_up(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_STUCK_SECONDS", 0.3)
    answers: dict[int, Any] = dict.fromkeys(range(10), "later")
    assert camera.run(lambda sequence: answers.pop(sequence, None)) is ExitCode.OK
    assert [client.sent for client in camera.clients] == [list(range(10)), list(range(10))]
    assert camera.written() == ([(0, 10)], 10)


def test_a_send_that_is_not_allowed_ends_the_process(camera: Camera) -> None:
    with pytest.raises(QuartetError) as stopped:
        camera.run(lambda _: kafka_errors.TopicAuthorizationFailedError())
    assert stopped.value.code is ExitCode.CREDENTIALS


def test_a_producer_says_when_kafka_is_silent_and_when_it_is_not_any_more(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_STATUS_SECONDS", 0.05)
    monkeypatch.setattr(sender, "_SILENT_SECONDS", 0.2)
    seen: list[float] = []
    show = Host.status

    def status(host: Host, text: str, *, now: bool = False) -> None:
        show(host, text)
        if "silent" in text:
            seen.append(sender.metrics.SILENT._value.get())
            for produced in camera.clients[0].waiting:
                produced.success(ACKNOWLEDGED)
            camera.clients[0].waiting.clear()

    monkeypatch.setattr(Host, "status", status)
    assert camera.run(lambda sequence: "later" if sequence > 6 else None, rate=200.0) is ExitCode.OK
    silent = [line for line in camera.host.lines if "silent" in line]
    assert silent == [
        "run first: silent, nothing is lost: Kafka at 10.0.0.3:9093 has acknowledged nothing for 0 s, 3 images wait",
    ]
    assert seen[0] >= 0.2
    assert camera.written() == ([(0, 10)], 10)


def test_an_ordered_run_that_is_finished_is_sent_again(camera: Camera) -> None:
    camera.run()
    (camera.state / "order-101.json").write_text(json.dumps({"run": "first", "count": 10}))
    assert camera.run() is ExitCode.OK
    assert camera.clients[1].sent == list(range(10))
    assert json.loads((camera.state / "order-101.json").read_bytes())["done"] is True
