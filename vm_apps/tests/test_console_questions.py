"""What the console asks Prometheus is PromQL over metrics that exist, and each way in which an answer can fail is told."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from quartet.console import questions
from quartet.console.prometheus_api import PrometheusApi
from quartet.runtime.errors import Unavailable
from real_servers import free_port
from running_console import TOPICS

# As Prometheus 2.42 answered
ANSWERS = {
    "/api/v1/query": b'{"status":"success","data":{"resultType":"vector","result":['
    b'{"metric":{"question":"sent","producer_id":"101"},"value":[1796079066.86,"7.107"]},'
    b'{"metric":{"question":"behind"},"value":[1796079066.86,"NaN"]},{"metric":{"question":"retention"},"value":[1796079066.86,"+Inf"]}]}}',
    "/api/v1/query_range": b'{"status":"success","data":{"resultType":"matrix","result":['
    b'{"metric":{"question":"p99"},"values":[[1796079050,"0.0495"],[1796079060,"NaN"]]}]}}',
    "/api/v1/alerts": b'{"status":"success","data":{"alerts":[{"labels":{"alertname":"Behind"},"annotations":{},"state":"firing",'
    b'"activeAt":"2026-11-30T22:50:47.913366915Z","value":"2.5e+00"}]}}',
}
REFUSED = b'{"status":"error","errorType":"bad_data","error":"invalid parameter \\"query\\": 1:5: parse error: unclosed left parenthesis"}'


@contextmanager
def answering(answers: dict[str, bytes]) -> Iterator[tuple[PrometheusApi, list[bytes]]]:
    asked: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers[self.path])

        do_POST = do_GET  # noqa: N815 (the names that the library calls)

        def log_message(self, *words: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield PrometheusApi(f"http://127.0.0.1:{server.server_address[1]}"), asked
        server.shutdown()


def test_values_series_and_alerts_are_read() -> None:
    with answering(ANSWERS) as (api, asked):
        sent, behind, retention = api.query("sum(a) + b")
        assert (sent.value, sent.labels["producer_id"], behind.value, retention.value) == (7.107, "101", None, None)
        assert asked[-1] == b"query=sum%28a%29+%2B+b"
        assert api.query_range("x", 1, 2, 3)[0].values == {1796079050: 0.0495, 1796079060: None}
        assert api.alerts()[0]["labels"] == {"alertname": "Behind"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (REFUSED, "bad_data: invalid parameter"),
        (b"<html>", "not understood"),
        (b'{"status":"success"}', "not understood"),
        (b"", "not understood"),
    ],
)
def test_a_bad_answer_is_a_reason(answer: bytes, reason: str) -> None:
    with answering({"/api/v1/query": answer}) as (api, _), pytest.raises(Unavailable, match=reason):
        api.query("x")


def test_no_prometheus_is_a_reason() -> None:
    with pytest.raises(Unavailable, match=r"prometheus: does not answer: .*refused"):
        PrometheusApi(f"http://127.0.0.1:{free_port()}").query("x")


@pytest.mark.parametrize("ask", [questions.now, questions.charts])
def test_it_is_promql_over_metrics_that_exist(tmp_path: Path, ask: Any) -> None:
    tool = pytest.importorskip("promtool", reason="tests/promtool.py is not there")
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "console", "rules": [{"record": "console", "expr": ask(TOPICS)}]}]}))
    checked = tool.promtool("check", "rules", rules)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert tool.undeclared(tool.metric_names(ask(TOPICS))) == []
