"""An app as a unit: it runs hardened, waits for a server that is not there and says so, and its password shows nowhere."""

from __future__ import annotations

import time

UNIT = "quartet-producer@7.service"


def journal(host):
    return host.check_output("journalctl --no-pager -n 60 -u %s", UNIT)


def test_the_unit_is_active_and_says_what_it_waits_for(host):
    assert host.service(UNIT).is_running, journal(host)
    for _ in range(30):
        status = host.check_output("systemctl show -P StatusText %s", UNIT)
        if "waiting, nothing is lost: kafka" in status:
            return
        time.sleep(1)
    raise AssertionError(status + journal(host))


def test_its_metrics_say_that_kafka_is_away(host):
    metrics = host.check_output(
        "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:9301/metrics\").read().decode())'"
    )
    assert 'quartet_connected{server="kafka"} 0.0' in metrics


def test_the_metrics_are_on_loopback_alone(host):
    assert host.socket("tcp://127.0.0.1:9301").is_listening
    assert not host.socket("tcp://0.0.0.0:9301").is_listening


def test_the_unit_is_hardened(host):
    file = host.check_output("systemctl show -P FragmentPath %s", UNIT)
    result = host.run("systemd-analyze security --offline=true --threshold=15 %s", file)
    assert result.rc == 0, result.stdout[-400:]


def test_the_password_is_roots_alone_and_shows_nowhere(host):
    file = host.file("/etc/quartet/secrets/producer-kafka-password")
    assert (file.user, file.mode) == ("root", 0o600)
    for place in ("/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ", "/etc/quartet/producer", "/etc/systemd/system"):
        found = host.run(f"grep -rls 'canary-in-the-[a]pp' {place}")
        assert not found.stdout.strip(), found.stdout
    assert "canary-in-the-app" not in host.check_output("journalctl --no-pager -o verbose")


def test_a_stop_is_quick_and_clean(host):
    begin = time.monotonic()
    host.check_output("systemctl restart %s", UNIT)
    assert time.monotonic() - begin < 40
    assert host.check_output("systemctl show -P Result %s", UNIT) == "success"
