"""The console's server over TLS without a browser: who gets in, what every answer carries, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest
from quartet.console.guard import POLICY
from quartet.console.login import SESSION_SECONDS, Password, Sessions, Throttle
from quartet.runtime.errors import ExitCode, QuartetError
from real_servers import free_port
from running_console import PASSWORD, Client, RunningConsole, console_settings, hashed, running_console
from simulated_pipeline import SimulatedPipeline
from tls_server import Authority


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    with running_console(tmp_path_factory.mktemp("console"), SimulatedPipeline()) as running:
        yield running


def stream_of(console: Client, cookie: str) -> HTTPResponse:
    connection = console.connect()
    connection.request("GET", "/events", headers={"Cookie": cookie})
    return connection.getresponse()


def next_event(answer: HTTPResponse, kind: str) -> dict:
    while True:
        lines = []
        while (line := answer.readline().decode().rstrip("\n")) != "":
            lines.append(line)
        if f"event: {kind}" in lines:
            return json.loads(next(line for line in lines if line.startswith("data: "))[6:])


@pytest.mark.parametrize(
    "path", ["/", "/events", "/image/101-first-000000000001.png", "/trace/101-first-000000000001", "/static/console.js", "/x"]
)
def test_without_a_login_there_is_no_answer(console: RunningConsole, path: str) -> None:
    status, headers, body = console.ask(path)
    assert status == 401
    assert headers["content-security-policy"] == POLICY
    assert b"101" not in body


@pytest.mark.parametrize("token", ["", "x", "1.2.3", "9999999999.00.00", "…", "a.b"])
def test_a_forged_session_is_none(console: RunningConsole, token: str) -> None:
    assert console.ask("/session", f"__Host-quartet-console={token}".encode().decode("latin-1"))[0] == 401


def test_the_cookie_and_the_headers(console: RunningConsole) -> None:
    status, headers, _ = console.ask("/login", form={"user": "viewer", "password": PASSWORD})
    assert (status, headers["location"]) == (303, "/")
    assert headers["set-cookie"].startswith("__Host-quartet-console=")
    words = {word.strip().lower() for word in headers["set-cookie"].split(";")[1:]}
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= words
    cookie = headers["set-cookie"].split(";")[0]
    status, headers, _ = console.ask("/", cookie)
    assert (status, headers["cache-control"], headers["x-content-type-options"]) == (200, "no-store", "nosniff")
    assert POLICY.startswith("default-src 'none'")
    assert "unsafe" not in POLICY
    assert "server" not in headers


def test_images_and_traces(console: RunningConsole) -> None:
    cookie = console.log_in()
    answer = stream_of(console, cookie)
    shown = next_event(answer, "pictures")["rows"][0]
    answer.close()
    status, headers, body = console.ask(f"/image/{shown['id']}.png", cookie)
    assert (status, headers["content-type"], body[:4]) == (200, "image/png", b"\x89PNG")
    assert "immutable" in headers["cache-control"]
    assert next(step["name"] for step in json.loads(console.ask(f"/trace/{shown['id']}", cookie)[2])["steps"]) == "captured"
    wrong = (
        "/image/../x",
        "/image/%2e%2e%2fx.png",
        "/image/101-first-999999999999.png",
        f"/image/{shown['id']}.gif",
        "/trace/x",
        "/static/../app.py",
    )
    assert {path: console.ask(path, cookie)[0] for path in wrong} == dict.fromkeys(wrong, 404)
    assert console.ask("/login", cookie, form={})[0] == 401


def test_a_page_begins_with_everything_and_hears_of_the_tiles(console: RunningConsole) -> None:
    answer = stream_of(console, console.log_in())
    first = next_event(answer, "snapshot")
    assert {"tiles", "charts", "wall", "size"} == first.keys()
    then = next_event(answer, "tiles")
    assert then["about"]["pages"] >= 1
    answer.close()
    end = time.monotonic() + 15
    while console.board.hub.pages and time.monotonic() < end:
        time.sleep(0.1)
    assert console.board.hub.pages == 0


def test_a_sixth_wrong_password_waits(tmp_path: Path) -> None:
    with running_console(tmp_path, SimulatedPipeline(), metrics=False) as console:
        tries = [console.ask("/login", form={"user": "viewer", "password": f"guess {n}"}) for n in range(6)]
        assert [status for status, _, _ in tries] == [401] * 5 + [429]
        assert 0 < int(tries[-1][1]["retry-after"]) <= 61
        assert console.ask("/login", form={"user": "viewer", "password": PASSWORD})[0] == 429
        assert b"guess" not in tries[0][2]


def test_throttle_and_sessions_follow_the_clock() -> None:
    now = [1000.0]
    throttle, sessions = Throttle(lambda: now[0]), Sessions(hashed(), lambda: now[0])
    for number in range(5):
        throttle.failed("a")
        throttle.failed(f"other {number}")
    assert (throttle.wait_seconds("a"), throttle.wait_seconds("b")) == (61, 0)
    now[0] += 61
    assert throttle.wait_seconds("a") == 0
    for number in range(2000):
        throttle.failed(f"address {number}")
    assert len(throttle._by_address) <= 1024
    assert throttle.wait_seconds("never seen") > 0
    token = sessions.open()
    assert sessions.expiry(token) == 1061 + SESSION_SECONDS
    assert Sessions(hashed("another"), lambda: now[0]).expiry(token) is None
    now[0] += SESSION_SECONDS
    assert sessions.expiry(token) is None


def test_the_password_is_compared_with_its_hash() -> None:
    password = Password(hashed())
    assert password.fits("viewer", PASSWORD)
    assert not password.fits("viewer", PASSWORD + " ")
    assert not password.fits("root", PASSWORD)
    with pytest.raises(QuartetError, match="run site"):
        Password("plain")


def test_it_stops_at_once_with_a_page_open(tmp_path: Path) -> None:
    with running_console(tmp_path, SimulatedPipeline()) as console:
        answer = stream_of(console, console.log_in())
        next_event(answer, "tiles")
        assert console.stop() < 6
        assert console.code == ExitCode.OK
        assert b"event" not in answer.read()[-5:]


def test_a_bug_in_a_reader_ends_it(tmp_path: Path) -> None:
    pipeline = SimulatedPipeline()
    with running_console(tmp_path, pipeline) as console:
        pipeline.stored = lambda: 1 // 0  # type: ignore[assignment]
        console.thread.join(15)
        assert console.code == ExitCode.SOFTWARE


def test_the_command_serves_while_its_servers_are_away_and_ends_with_0(tmp_path: Path) -> None:
    port = free_port()
    authority = Authority(tmp_path / "ca")
    away = f"127.0.0.1:{free_port()}"
    ca = str(authority.file)
    options = console_settings(port=port).model_dump()
    options["kafka"] = {"bootstrap_servers": [away], "user": "console", "ca_file": ca}
    options["mongodb"] = {"hosts": [away], "user": "console", "ca_file": ca}
    options["prometheus_url"] = f"http://{away}"
    (tmp_path / "console.json").write_text(json.dumps(options))
    secrets = {
        "kafka-password": "x",
        "mongodb-password": "x",
        "viewer-password-hash": hashed(),
        "console.pem": authority.issue().read_text(),
    }
    for name, content in secrets.items():
        (tmp_path / name).write_text(content)
    command = [sys.executable, "-m", "quartet.cli", "console", f"--config={tmp_path / 'console.json'}"]
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    client = Client(port, authority)
    try:
        end = time.monotonic() + 20
        while True:
            try:
                cookie = client.log_in()
                break
            except OSError:
                assert time.monotonic() < end and process.poll() is None
                time.sleep(0.1)
        answer = stream_of(client, cookie)
        end = time.monotonic() + 20
        while not (tiles := next_event(answer, "tiles"))["producers"]["why"].startswith("mongodb: "):
            assert time.monotonic() < end, tiles
        assert tiles["units"]["rows"] is None
        assert tiles["units"]["why"].startswith("prometheus: does not answer")
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=15)
        taken = time.monotonic() - begin
        assert (process.returncode, taken < 6) == (0, True), taken
        assert "Traceback" not in log
    finally:
        process.kill()
