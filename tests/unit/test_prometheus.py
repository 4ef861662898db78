"""The settings of Prometheus and Alertmanager: what is scraped, who is told, and which receivers are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from promtool import promtool
from role_modules import load_file, load_module

ROOT = Path(__file__).resolve().parents[2]
FILTERS = load_file(ROOT / "roles/prometheus/filter_plugins/monitoring.py", "monitoring_filters")
HEALTH = load_module("prometheus_health")
TARGETS = [
    {"job": "node", "host": "vm1", "target": "10.0.0.1:9100"},
    {"job": "producer", "host": "vm3", "target": "10.0.0.3:9301"},
    {"job": "node", "host": "vm3", "target": "10.0.0.3:9100"},
]
TLS = {"ca_file": "/ca", "cert_file": "/crt", "key_file": "/key"}
MAIL = {"kind": "mail", "to": "ops@example.org", "from": "quartet@example.org", "server": "mail.example.org:587"}
WEBHOOK = {"kind": "webhook", "url": "https://example.org/alerts"}


def test_a_job_has_all_of_its_targets_and_the_client_certificate(tmp_path: Path) -> None:
    jobs = FILTERS.scrape_jobs(TARGETS, TLS, ["node_timex_.*"])
    assert [(job["job_name"], [row["labels"]["host"] for row in job["static_configs"]]) for job in jobs] == [
        ("node", ["vm1", "vm3"]),
        ("producer", ["vm3"]),
    ]
    assert all(job["scheme"] == "https" and job["tls_config"] == TLS for job in jobs)
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump({"scrape_configs": jobs}))
    result = promtool("check", "config", "--syntax-only", file)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "receiver", [{}, MAIL, MAIL | {"user": "a", "password": "b"}, WEBHOOK, WEBHOOK | {"token": "c", "watchdog_url": "http://x/y"}]
)
def test_receivers_that_are_accepted(receiver: dict[str, str]) -> None:
    assert FILTERS.receiver_faults(receiver) == []
    settings = FILTERS.alertmanager_settings(receiver)
    named = {row["name"] for row in settings["receivers"]}
    used = {settings["route"]["receiver"], *(route["receiver"] for route in settings["route"]["routes"])}
    assert used <= named
    assert (settings["route"]["receiver"] == "nobody") is (not receiver)


@pytest.mark.parametrize(
    ("receiver", "fault"),
    [
        ({"kind": "pager"}, "kind must be mail or webhook"),
        ({"url": "https://example.org"}, "kind must be mail or webhook"),
        (MAIL | {"url": "x"}, "it has no key url"),
        (MAIL | {"to": "ops"}, "to must be an address such as ops@example.org"),
        (MAIL | {"server": "mail.example.org"}, "server must be a mail server and its port, such as mail.example.org:587"),
        (MAIL | {"password": "canary"}, "user and password must be given together, or neither"),
        ({"kind": "webhook"}, "url must begin with https:// or http://"),
        (WEBHOOK | {"url": "https://a:canary@example.org/"}, "url must not contain a user or password; give a token"),
        (
            WEBHOOK | {"url": "http://example.org/", "token": "canary"},
            "url must begin with https://, or the token could be read on its way",
        ),
    ],
)
def test_receivers_that_are_refused(receiver: dict[str, str], fault: str) -> None:
    assert FILTERS.receiver_faults(receiver) == [fault]


def test_the_watchdog_goes_only_where_it_is_asked_for() -> None:
    def route(receiver: dict[str, str]) -> Any:
        return FILTERS.alertmanager_settings(receiver)["route"]["routes"][0]["receiver"]

    assert route(WEBHOOK) == "nobody"
    assert route(WEBHOOK | {"watchdog_url": "https://example.org/dog"}) == "watchdog"


def test_health_names_what_is_not_scraped_and_not_evaluated() -> None:
    target = {"labels": {"job": "node", "instance": "10.0.0.1:9100"}, "health": "down", "lastError": "connection refused"}
    assert HEALTH.unscraped([target], ["10.0.0.1:9100", "10.0.0.2:9100"]) == [
        "10.0.0.2:9100 is not among the targets",
        "node at 10.0.0.1:9100 is down: connection refused",
    ]
    assert HEALTH.unscraped([target | {"health": "up"}], ["10.0.0.1:9100"]) == []
    rules = [{"name": "A", "health": "ok"}, {"name": "B", "health": "unknown"}, {"name": "C", "health": "err", "lastError": "many-to-many"}]
    groups = [{"file": "/etc/quartet/prometheus/alerts/work.yml", "rules": rules}]
    assert HEALTH.unevaluated(groups, ["running.yml", "work.yml"]) == [
        "the rules of running.yml are not loaded",
        "C cannot be evaluated: many-to-many",
    ]


@pytest.mark.parametrize(
    "asker",
    [
        "roles/prometheus/vars/main.yml",
        "roles/prometheus/library/prometheus_health.py",
        "roles/console/defaults/main.yml",
        "playbooks/status.yml",
        "vm_apps/src/quartet/audit/monitoring.py",
    ],
)
def test_all_ask_where_prometheus_listens(asker: str) -> None:
    unit = (ROOT / "roles/prometheus/templates/prometheus.service.j2").read_text()
    (address,) = re.findall(r"/usr/bin/prometheus --.*--web.listen-address=(\S+)", unit)
    (alertmanager,) = set(re.findall(r"/usr/bin/prometheus-alertmanager --.*--web.listen-address=(\S+)", unit))
    assert set(re.findall(r"127\.0\.0\.1:\d+", (ROOT / asker).read_text())) - {alertmanager} == {address}
