"""quartet status --watch: rates from two looks, a dash for what is unknown, and what Prometheus knows."""

import http.server
import io
import json
import threading
from collections.abc import Iterator
from urllib.parse import unquote_plus

import pytest
from quartet.audit import monitoring, watch
from quartet.audit.watch import Look, Row

GROUPS = {"images": "db-consumer-images", "inferences": "db-consumer-inferences", "inference": "inference-1", "stream": "spark-stream"}
UNITS = ["quartet-producer@", "quartet-inference", "quartet-db-consumer@images"]
BEFORE = Look(100.0, 1_000, dict.fromkeys(GROUPS, 500), dict.fromkeys(GROUPS, 500))
AFTER = Look(110.0, 3_000, {**dict.fromkeys(GROUPS, 500), "inference": 950}, {**dict.fromkeys(GROUPS, 2_500), "inference": 2_050})


def test_rates_are_between_the_first_and_the_last_look() -> None:
    known = monitoring.Monitoring({"inference-1": 27.4}, {"quartet-inference": "active"}, [])
    producer, inference, images, *_ = watch.rows([BEFORE, AFTER], known, GROUPS)
    assert producer == Row("producer", 200.0, None, None, None)
    assert inference == Row("inference", 45.0, 2_050, 27.4, "active")
    assert images == Row("database images", 0.0, 2_500, None, None)


def test_what_is_unknown_is_a_dash_and_never_zero() -> None:
    steps = watch.rows([BEFORE], monitoring.Monitoring(), GROUPS)
    text = "\n".join(watch.screen(steps, None, None, "12:00:00"))
    assert "inference                      -           500             -   -" in text
    assert "pending   - images" in text
    assert "alerts    -" in text
    assert watch.line(steps, None, None, "12:00:00").endswith("pending -; alerts -")


def test_the_screen_and_the_line() -> None:
    steps = watch.rows([BEFORE, AFTER], monitoring.Monitoring({"inference-1": 27.4}, {"quartet-inference": "down"}, []), GROUPS)
    alert = "critical UnitDown: quartet-inference does not run on vm4"
    text = "\n".join(watch.screen(steps, 1_234, [alert], "12:00:00"))
    assert "inference                   45/s         2,050          27 s   down" in text
    assert "pending   1,234 images" in text
    assert f"alerts    {alert}" in text
    assert "alerts    none" in "\n".join(watch.screen(steps, 1_234, [], "12:00:00"))
    line = watch.line(steps, 1_234, [alert], "12:00:00")
    assert line.startswith("12:00:00 sent 200/s; inference 45/s lag 2,050 (27 s) down; ")
    assert line.endswith("pending 1,234; alerts critical UnitDown")


class Answers(http.server.BaseHTTPRequestHandler):
    """What Prometheus 2.42 answers, cut to what is read."""

    def do_GET(self) -> None:
        path = unquote_plus(self.path)
        lag = {"metric": {"consumergroup": "inference-1", "topic": "images"}, "value": [1, "27.5"]}
        units = [
            {"metric": {"name": f"{name}.service", "state": "active"}, "value": [1, value]}
            for name, value in (("quartet-producer@101", "1"), ("quartet-producer@102", "0"), ("quartet-inference", "0"))
        ]
        alerts = [
            {"labels": {"alertname": name, "severity": severity}, "annotations": {"summary": "x"}, "state": state}
            for name, severity, state in (
                ("Watchdog", "none", "firing"),
                ("UnitDown", "critical", "firing"),
                ("DiskLow", "critical", "pending"),
            )
        ]
        data = {"alerts": alerts} if path.endswith("/alerts") else {"result": [lag] if "lag_seconds" in path else units}
        body = json.dumps({"status": "success", "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def prometheus() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_prometheus_knows(prometheus: str) -> None:
    found = monitoring.read_monitoring(UNITS, prometheus)
    assert found.lag_seconds == {"inference-1": 27.5}
    assert found.units == {"quartet-producer@": "1 of 2 active", "quartet-inference": "down"}
    assert found.alerts == ["critical UnitDown: x"]


def test_without_prometheus_the_alerts_are_unknown() -> None:
    found = monitoring.read_monitoring(["quartet-nothing-of-this-name"], "127.0.0.1:9")
    assert (found.lag_seconds, found.units, found.alerts) == ({}, {}, None)


class Interrupted:
    """An auditor whose user presses Ctrl-C at the second look."""

    def __init__(self, _: object) -> None:
        self.looks = 0

    def counts(self) -> dict[str, int]:
        return {"images": 10, "inferences": 4}


def test_ctrl_c_ends_it_and_a_pipe_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([BEFORE])

    def look(_: object) -> Look:
        try:
            return next(looks)
        except StopIteration:
            raise KeyboardInterrupt from None

    class Settings:
        class groups:  # noqa: N801
            images, inferences, inference = "a", "b", "c"

    monkeypatch.setattr(watch, "Auditor", Interrupted)
    monkeypatch.setattr(watch, "look", look)
    monkeypatch.setattr(watch, "_REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(watch, "read_monitoring", lambda _: monitoring.Monitoring())
    output = io.StringIO()
    assert watch.run(Settings(), output) == 0  # type: ignore[arg-type]
    (line,) = output.getvalue().splitlines()
    assert "pending 6;" in line
    assert "\x1b" not in line
