"""Filters that make the configurations of Prometheus and Alertmanager."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_MAIL = {"kind", "to", "from", "server", "user", "password", "watchdog_url"}
_WEBHOOK = {"kind", "url", "token", "watchdog_url"}
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_SERVER = re.compile(r"[A-Za-z0-9._-]+:[1-9][0-9]{0,4}")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)[:/]")
#: What Kafka or the database causes when it is away, and would only repeat
_OF_KAFKA = "SeriesMissing|ConsumerStalled|ConsumerBehind|StreamStale|ProducerSilent|SendsFailing|UnderMinIsr|UnderReplicated"
_OF_MONGODB = "SeriesMissing|ConsumerStalled|ConsumerBehind|StreamStale|DatabasePaused"


def scrape_jobs(targets: Iterable[Mapping[str, str]], tls: Mapping[str, str], dropped: Iterable[str]) -> list[dict[str, Any]]:
    """Return the scrape jobs of rows {job, host, target}, in their order; `dropped`: patterns of names that are not kept."""
    jobs: dict[str, dict[str, Any]] = {}
    relabel = [{"source_labels": ["__name__"], "regex": pattern, "action": "drop"} for pattern in dropped]
    for row in targets:
        job = jobs.setdefault(
            row["job"],
            {"job_name": row["job"], "scheme": "https", "tls_config": dict(tls), "sample_limit": 20_000, "static_configs": []}
            | ({"metric_relabel_configs": relabel} if relabel else {}),
        )
        job["static_configs"].append({"targets": [row["target"]], "labels": {"host": row["host"]}})
    return list(jobs.values())


def receiver_faults(receiver: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a receiver, without repeating a secret of it."""
    if not receiver:
        return []
    kind = receiver.get("kind")
    if kind not in ("mail", "webhook"):
        return ["kind must be mail or webhook"]
    faults = [f"it has no key {key}" for key in sorted(set(receiver) - (_MAIL if kind == "mail" else _WEBHOOK))]
    if kind == "mail":
        faults += [
            f"{key} must be an address such as ops@example.org" for key in ("to", "from") if not _matches(_ADDRESS, receiver.get(key))
        ]
        if not _matches(_SERVER, receiver.get("server")):
            faults.append("server must be a mail server and its port, such as mail.example.org:587")
        if bool(receiver.get("user")) != bool(receiver.get("password")):
            faults.append("user and password must be given together, or neither")
    else:
        faults += _url_faults("url", str(receiver.get("url", "")), secret=bool(receiver.get("token")))
    if "watchdog_url" in receiver:
        faults += _url_faults("watchdog_url", str(receiver["watchdog_url"]), secret=False)
    return faults


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _url_faults(key: str, url: str, *, secret: bool) -> list[str]:
    if not re.match(r"https?://[^/\s]", url):
        return [f"{key} must begin with https:// or http://"]
    faults = []
    if "@" in url.split("/")[2]:
        faults.append(f"{key} must not contain a user or password; give a token")
    if secret and url.startswith("http://") and not _LOOPBACK.match(url):
        faults.append(f"{key} must begin with https://, or the token could be read on its way")
    return faults


def alertmanager_settings(receiver: Mapping[str, Any]) -> dict[str, Any]:
    """Return Alertmanager's configuration for a receiver; for an empty one alerts are kept and nobody is told."""
    receivers: list[dict[str, Any]] = [{"name": "nobody"}]
    to = "nobody"
    watchdog: dict[str, Any] = {"matchers": ['severity="none"'], "receiver": "nobody"}
    if receiver:
        to = "operators"
        receivers.append(
            {"name": to} | (_mail(receiver) if receiver["kind"] == "mail" else _webhook(receiver["url"], receiver.get("token")))
        )
    if receiver.get("watchdog_url"):
        watchdog |= {"receiver": "watchdog", "group_wait": "0s", "group_interval": "1m", "repeat_interval": "5m"}
        receivers.append({"name": "watchdog"} | _webhook(receiver["watchdog_url"], None))
    return {
        "route": {
            "receiver": to,
            "group_by": ["alertname", "host"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "4h",
            "routes": [watchdog],
        },
        "inhibit_rules": [
            {"source_matchers": ['alertname="KafkaOffline"'], "target_matchers": [f'alertname=~"{_OF_KAFKA}"']},
            {"source_matchers": ['alertname="MongoDown"'], "target_matchers": [f'alertname=~"{_OF_MONGODB}"']},
        ],
        "receivers": receivers,
    }


def _webhook(url: str, token: str | None) -> dict[str, Any]:
    http = {"http_config": {"authorization": {"credentials": token}}} if token else {}
    return {"webhook_configs": [{"url": url, "send_resolved": True} | http]}


def _mail(receiver: Mapping[str, Any]) -> dict[str, Any]:
    login = {"auth_username": receiver["user"], "auth_password": receiver["password"]} if receiver.get("user") else {}
    text = (
        "{{ range .Alerts }}{{ .Status }}: {{ .Labels.alertname }} ({{ .Labels.severity }})\n{{ .Annotations.summary }}\n"
        "{{ .Annotations.action }}\n{{ .Annotations.paragraph }}\nsince {{ .StartsAt }}\n\n{{ end }}"
    )
    subject = "[quartet] {{ .Status }}: {{ .GroupLabels.alertname }} {{ .GroupLabels.host }}"
    mail = {"to": receiver["to"], "from": receiver["from"], "smarthost": receiver["server"], "send_resolved": True, "require_tls": True}
    return {"email_configs": [mail | login | {"headers": {"Subject": subject}, "text": text, "html": ""}]}


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"scrape_jobs": scrape_jobs, "receiver_faults": receiver_faults, "alertmanager_settings": alertmanager_settings}
