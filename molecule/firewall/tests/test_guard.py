"""Nothing that listens starts without the firewall, and nothing that runs is disturbed by what happens to it."""

from __future__ import annotations

import socket
import time

import pytest
from molecule_play import play

ADDRESS = "10.77.0.123"
RULES = "/etc/quartet/firewall.nft"
GUARD = "/etc/systemd/system/quartet-listener.service.d/quartet-firewall.conf"
# As the units of the roles are: tried again for ever
UNIT = """[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/python3 -m http.server 8012
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
"""


def outcome(port: int) -> str:
    """Say what becomes of a new connection; what is dropped says nothing within 2 s."""
    try:
        with socket.create_connection((ADDRESS, port), 2):
            return "accepted"
    except TimeoutError:
        return "dropped"
    except ConnectionRefusedError:
        return "refused"


def waited_for(port: int) -> bool:
    """Wait until a port answers."""
    end = time.monotonic() + 20
    while outcome(port) != "accepted":
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


@pytest.fixture(scope="module", autouse=True)
def listener(host):
    """A server, installed as the roles do."""
    host.check_output("systemctl stop listen-8012.service 2> /dev/null || true")
    host.check_output(f"cat > /etc/systemd/system/quartet-listener.service << 'END'\n{UNIT}END")
    host.check_output("systemctl daemon-reload && systemctl enable --now quartet-listener.service")
    assert waited_for(8012)


def test_what_runs_is_not_disturbed(host):
    asked = "systemctl show -P InvocationID quartet-listener.service"
    before = host.check_output(asked)
    for command in (
        "systemctl reload quartet-firewall",
        "systemctl restart quartet-firewall",
        "systemctl stop quartet-firewall && systemctl start quartet-firewall",
        "systemctl start nftables && systemctl reload nftables && systemctl restart nftables && systemctl stop nftables",
    ):
        host.check_output(command)
        assert host.check_output(asked) == before, command
    assert outcome(8012) == "accepted"


def test_flushed_rules_hold_a_restart_back(host):
    host.check_output("nft flush ruleset")
    assert host.run("systemctl restart quartet-listener.service").rc != 0
    assert outcome(8012) == "refused"
    host.check_output("systemctl restart quartet-firewall")
    assert waited_for(8012)


def test_nothing_listens_after_a_boot_without_the_table(host, reboot):
    host.check_output(f"cp {RULES} /root/rules && echo 'no rule of nft' > {RULES}")
    reboot()
    time.sleep(5)
    assert outcome(8012) == "refused", "open, and nothing listens"
    assert host.run("nft list table inet quartet").rc != 0
    assert host.check_output("systemctl show -P ActiveState quartet-listener.service") != "active"
    assert "Held back: the firewall" in host.check_output("journalctl --boot --unit=quartet-listener.service")


def test_status_and_health_say_why(host):
    status, output = play("playbooks/status.yml")
    assert status == 0, output
    assert "quartet-firewall.service failed" in output
    assert "held back: the firewall is not in force (journalctl -u quartet-firewall)" in output
    status, output = play("playbooks/health.yml", secrets_values={}, firewall_guarded_units=["quartet-listener.service"])
    assert status != 0
    for words in (
        "The firewall of mol-firewall is not in force",
        "quartet-firewall.service is not active",
        "Not started: quartet-listener.service",
        "syntax error",
    ):
        assert words in output, words


def test_it_starts_by_itself_when_the_rules_are_back(host):
    host.check_output(f"mv /root/rules {RULES}")
    assert waited_for(8012)
    assert host.service("quartet-firewall").is_running
    assert outcome(8002) == "dropped"


def test_without_the_firewall_nothing_waits_for_it(host):
    assert host.file(GUARD).exists
    assert play("molecule/firewall/converge.yml", firewall_enabled=False)[0] == 0
    assert not host.file(GUARD).exists
    host.check_output("systemctl restart quartet-listener.service")
    assert waited_for(8012)
    assert not host.service("quartet-firewall").is_running
    assert play("molecule/firewall/converge.yml")[0] == 0
    assert host.file(GUARD).exists


def test_a_unit_that_is_no_longer_named_waits_no_more(host):
    assert play("molecule/firewall/converge.yml", firewall_guarded_units=["other@.service"])[0] == 0
    assert not host.file(GUARD).exists
    assert host.file("/etc/systemd/system/other@.service.d/quartet-firewall.conf").exists
    assert play("molecule/firewall/converge.yml")[0] == 0
    assert host.file(GUARD).exists
