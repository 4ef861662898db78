"""Prometheus and Alertmanager on loopback alone; a target that asks for a certificate is scraped, and an alert reaches its receiver."""

from __future__ import annotations

import json
import socket
import time
from urllib.parse import quote

import pytest
from molecule_play import play

ADDRESS = "10.77.0.127"
UNITS = ("prometheus.service", "prometheus-alertmanager.service")
# Scrapes the target with the client certificate whose name it is given, or with none
SCRAPE = f"""python3 -c '
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile="/etc/quartet/pki/ca.crt")
for name in sys.argv[1:]:
    context.load_cert_chain(f"/etc/quartet/pki/{{name}}.crt", f"/etc/quartet/pki/{{name}}.key")
print(urllib.request.urlopen("https://{ADDRESS}:9100/metrics", timeout=5, context=context).read().decode())
'"""
# Ended long ago, so CertificateExpires fires at once
EXPIRED = 'quartet_certificate_not_after_timestamp_seconds{name="simulated"} 0'


def query(host, expression):
    """Return the values of an expression now; nothing while Prometheus does not answer."""
    program = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    asked = host.run(f"python3 -c '{program}' 'http://127.0.0.1:9090/api/v1/query?query={quote(expression)}'")
    return [float(row["value"][1]) for row in json.loads(asked.stdout)["data"]["result"]] if asked.rc == 0 else []


def grep(host, words):
    """Return the requests to the receiver that have these words."""
    return host.run("grep %s /srv/alerts", words).stdout.splitlines()


def wait_for(found, seconds=100):
    """Wait until a function returns something, and return that."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"nothing after {seconds} s"
        time.sleep(2)
    return value


@pytest.mark.parametrize("unit", UNITS)
def test_the_units_run_and_are_hardened(host, unit):
    assert host.service(unit).is_running, host.check_output(f"journalctl --no-pager -n 60 -u {unit}")
    assert host.service(unit).is_enabled
    file = host.check_output(f"systemctl show -P FragmentPath {unit}")
    assert file == f"/etc/systemd/system/{unit}"
    result = host.run(f"systemd-analyze security --offline=true --threshold=15 {file}")
    assert result.rc == 0, result.stdout[-400:]


def test_both_listen_on_loopback_alone(host):
    listening = [line.split() for line in host.check_output("ss -Hltnup").splitlines() if '"prometheus' in line]
    assert sorted(line[4] for line in listening) == ["127.0.0.1:9090", "127.0.0.1:9096"]
    for port in (9090, 9093, 9094, 9096):
        with pytest.raises(OSError):
            socket.create_connection((ADDRESS, port), 2)


def test_the_packages_own_servers_never_listened(host):
    """They log the address on which they listen; ours log warnings alone."""
    assert "Listening on" not in host.check_output("journalctl --no-pager -o cat _COMM=prometheus + _COMM=prometheus-aler")


def test_a_target_is_scraped_with_the_client_certificate_alone(host):
    refused = host.run(SCRAPE)
    assert refused.rc != 0
    assert "simulated" not in refused.stdout
    assert "simulated 1" in host.check_output(f"{SCRAPE} monitor")
    assert query(host, 'up{job="node"}') == [1.0]
    assert query(host, 'up{job="producer"}') == [0.0]


def test_an_alert_reaches_the_receiver_with_its_action(host):
    host.check_output(f"rm -f /srv/alerts; echo '{EXPIRED}' > /srv/metrics")
    lines = wait_for(lambda: grep(host, "simulated"))
    path, authorization, body = json.loads(lines[0])
    assert (path, authorization, body["status"]) == ("/alerts", "Bearer canary-in-the-receiver", "firing")
    (alert,) = [alert for alert in body["alerts"] if alert["labels"]["name"] == "simulated"]
    assert (alert["labels"]["alertname"], alert["labels"]["severity"]) == ("CertificateExpires", "critical")
    assert "make deploy" in alert["annotations"]["action"]


def test_status_shows_the_alert(host):
    status, output = play("playbooks/status.yml", quartet_monitoring="full", firewall_guarded_units=list(UNITS))
    assert status == 0, output
    assert "critical CertificateExpires, since" in output
    assert "make deploy renews it" in output


def test_the_receivers_secret_is_roots_alone_and_shows_nowhere(host):
    file = host.file("/etc/quartet/secrets/prometheus/alertmanager.yml")
    assert (file.user, file.mode) == ("root", 0o600)
    for place in ("/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ", "/etc/quartet/prometheus", "/etc/systemd/system"):
        found = host.run(f"grep -rls 'canary-in-the-[r]eceiver' {place}")
        assert not found.stdout.strip(), found.stdout
    assert "canary-in-the-receiver" not in host.check_output("journalctl --no-pager -o verbose")


def test_a_restart_keeps_the_series(host):
    before = query(host, 'count_over_time(up{job="node"}[1h])')[0]
    host.check_output(f"systemctl restart {UNITS[0]}")
    after = wait_for(lambda: query(host, 'count_over_time(up{job="node"}[1h])'))
    assert after[0] >= before > 0


def test_a_wrong_receiver_is_refused_and_nothing_changes(host):
    shown = f"systemctl show -P InvocationID {' '.join(UNITS)}"
    before = host.check_output(shown)
    receiver = {"kind": "webhook", "url": "http://example.org/x", "token": "canary-that-is-refused"}
    status, output = play("molecule/monitoring/converge.yml", prometheus_alert_receiver=receiver)
    assert status != 0
    assert "quartet_alert_receiver is wrong: url must begin with https://" in output
    assert "canary-that-is-refused" not in output
    assert host.check_output(shown) == before
