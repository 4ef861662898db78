"""Everything that is scraped on the one VM: with a certificate of the CA it answers within a second, without one it does not."""

from __future__ import annotations

import re
import time

import pytest

PORTS = {"node": 9100, "images": 9211, "inferences": 9212, "inference": 9221, "exporter": 9230, "stream": 9240}
CURL = "curl --silent --show-error --max-time 10 --cacert /etc/quartet/pki/ca.crt"
ADDRESS = "10.77.0.120"


def scraped(host, port):
    """Return the metrics of a port, asked with the VM's certificate."""
    return host.check_output(f"{CURL} --fail --cert /etc/quartet/pki/metrics.pem https://{ADDRESS}:{port}/metrics")


@pytest.fixture(scope="module", autouse=True)
def curl(host):
    host.check_output("command -v curl > /dev/null || apt-get install --yes --no-install-recommends curl")


@pytest.mark.parametrize("port", PORTS.values(), ids=PORTS.keys())
def test_a_client_with_a_certificate_is_answered(host, port):
    began = time.monotonic()
    assert "# TYPE" in scraped(host, port)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("port", PORTS.values(), ids=PORTS.keys())
def test_a_client_without_a_certificate_is_not(host, port):
    assert host.run(f"{CURL} https://{ADDRESS}:{port}/metrics").rc != 0
    assert host.run(f"curl --silent --fail --max-time 10 http://{ADDRESS}:{port}/metrics").rc != 0


def test_state_and_restarts_of_every_unit_are_reported(host):
    found = scraped(host, PORTS["node"])
    active = set(re.findall(r'node_systemd_unit_state{name="([^"]+)",state="active",type="[^"]*"} 1', found))
    units = {"kafka", "mongod", "quartet-db-consumer@images", "quartet-db-consumer@inferences", "quartet-inference", "quartet-exporter"}
    assert {f"{unit}.service" for unit in units} <= active
    assert 'node_systemd_service_restart_total{name="quartet-db-consumer@images.service"}' in found
    assert "quartet-backup.timer" in active


def test_a_stopped_instance_keeps_its_series(host):
    host.check_output("systemctl stop quartet-db-consumer@images")
    try:
        found = scraped(host, PORTS["node"])
    finally:
        host.check_output("systemctl start quartet-db-consumer@images")
    assert re.search(r'node_systemd_unit_state{name="quartet-db-consumer@images.service",state="active",type="[^"]*"} 0', found)


def test_the_text_files(host):
    found = scraped(host, PORTS["node"])
    assert "node_textfile_scrape_error 0" in found
    assert 'quartet_certificate_not_after_timestamp_seconds{name="metrics"}' in found
    assert "quartet_batch_last_success_timestamp_seconds" in found


def test_the_disk_is_counted_once_and_the_clock_is_read(host):
    found = scraped(host, PORTS["node"])
    assert re.findall(r'node_filesystem_size_bytes{device="[^"]*",[^}]*mountpoint="([^"]+)"}', found) == ["/"]
    assert re.search(r"^node_network_receive_bytes_total{", found, re.MULTILINE)


def test_the_exact_counts(host):
    found = scraped(host, PORTS["exporter"])
    assert "mongodb_up 1.0" in found
    assert "kafka_brokers 1.0" in found
    assert re.search(r'quartet_counted_images{producer_id="102",source="stream"} \d', found)
