"""Metrics over the network: TLS to a client with a certificate of the CA, nothing to anybody else, and nobody can hold up the others."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge
from quartet.runtime import metrics_server
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.health import port_problems
from quartet.runtime.scrape import scrape
from quartet.runtime.settings import MetricsTls
from tls_server import Authority


@pytest.fixture
def registry() -> CollectorRegistry:
    found = CollectorRegistry()
    Gauge("quartet_connected", "", ["server"], registry=found).labels("kafka").set(0)
    return found


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The CA; the unit's credential is issued by it."""
    made = Authority(tmp_path / "ca")
    made.issue(file="metrics.pem")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "ca"))
    return made


@pytest.fixture
def tls(authority: Authority) -> MetricsTls:
    return MetricsTls(address="127.0.0.1", ca_file=str(authority.file))


@pytest.fixture
def port(registry: CollectorRegistry, tls: MetricsTls) -> Iterator[int]:
    server = metrics_server.serve(registry, 0, tls)
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_client_of_the_ca_reads_them(port: int, tls: MetricsTls, authority: Authority) -> None:
    began = time.monotonic()
    assert 'quartet_connected{server="kafka"} 0.0' in scrape(port, tls, seconds=5, certificate=str(authority.issue(file="client.pem")))
    assert time.monotonic() - began < 1


def test_a_client_without_a_certificate_is_refused(port: int, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=authority.file)
    with pytest.raises(OSError, match=r"(?i)alert|reset|EOF"):
        ask(port, context)


def test_a_client_of_another_ca_is_refused(port: int, authority: Authority, tmp_path: Path) -> None:
    foreign = Authority(tmp_path / "foreign").issue()
    context = ssl.create_default_context(cafile=authority.file)
    context.load_cert_chain(foreign)
    with pytest.raises(OSError, match=r"(?i)alert|reset|EOF"):
        ask(port, context)


def ask(port: int, context: ssl.SSLContext) -> bytes:
    """Ask for the metrics; with TLS 1.3 the refusal comes with the first bytes of the answer."""
    with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain, server_hostname="localhost") as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = connection.recv(1000)
    if not answer:
        raise OSError("EOF")
    return answer


def test_plaintext_gets_no_metrics(port: int) -> None:
    with pytest.raises(OSError, match=r"no HTTP is spoken|reset"):
        scrape(port, None, seconds=5)


def test_a_client_that_says_nothing_holds_up_nobody(port: int, tls: MetricsTls, authority: Authority) -> None:
    silent = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(20)]
    try:
        began = time.monotonic()
        assert "quartet_connected" in scrape(port, tls, seconds=5, certificate=str(authority.issue(file="client.pem")))
        assert time.monotonic() - began < 1
    finally:
        for connection in silent:
            connection.close()


def test_health_asks_with_the_certificate_of_the_vm(
    port: int, tls: MetricsTls, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    (refused,) = port_problems(port, tls)
    assert "serves no metrics" in refused
    monkeypatch.setattr(scrape, "__kwdefaults__", {"certificate": str(authority.issue(file="client.pem"))})
    assert list(port_problems(port, tls)) == [f"port {port}: kafka does not answer"]


def test_without_tls_they_are_on_loopback_in_plaintext(registry: CollectorRegistry) -> None:
    server = metrics_server.serve(registry, 0, None)
    try:
        assert server.server_address[0] == "127.0.0.1"
        assert "quartet_connected" in scrape(server.server_port, None, seconds=5)
    finally:
        server.shutdown()
        server.server_close()


def test_a_missing_credential_is_an_error_of_the_settings(
    registry: CollectorRegistry, tls: MetricsTls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/nonexistent")
    with pytest.raises(QuartetError, match=r"metrics\.pem.*role pki") as caught:
        metrics_server.serve(registry, 0, tls)
    assert caught.value.code is ExitCode.CONFIGURATION


def test_a_port_that_is_taken_is_an_error_of_the_settings(registry: CollectorRegistry) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(QuartetError, match="free the port") as caught:
        metrics_server.serve(registry, other.getsockname()[1], None)
    assert caught.value.code is ExitCode.CONFIGURATION
