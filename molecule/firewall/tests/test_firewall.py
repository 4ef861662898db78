"""The firewall as clients outside see it, in every state that could lose it, and the trial that takes wrong rules back."""

from __future__ import annotations

import json
import socket

import pytest
from molecule_play import ansible, play

ADDRESS = "10.77.0.123"
OURS = "nft --stateless list table inet quartet"


def converge(**options: object) -> tuple[int, str]:
    """Run converge.yml with other options; return its status and its output with the line breaks folded away."""
    return play("molecule/firewall/converge.yml", **options)


def answers(port: int) -> bool:
    """Say whether a new connection from this machine is accepted; what is dropped says nothing within 2 s."""
    try:
        with socket.create_connection((ADDRESS, port), 2):
            return True
    except TimeoutError:
        return False


def guarded() -> bool:
    return answers(22) and answers(8001) and not answers(8002)


@pytest.fixture(scope="module", autouse=True)
def listeners(host):
    """A server on every port that the rows name, and on one that no row names."""
    for port in (8001, 8002, 8003, 8004, 8005, 8012):
        host.check_output(f"systemctl cat listen-{port} > /dev/null 2>&1 || systemd-run --unit=listen-{port} python3 -m http.server {port}")
    host.check_output(
        "for try in $(seq 50); do [ $(ss -Hltn 'sport >= 8001 and sport <= 8012' | wc -l) = 6 ] && exit; sleep 0.2; done; exit 1"
    )


@pytest.mark.parametrize(
    ("port", "expected"), [(22, True), (8001, True), (8012, True), (8002, False), (8003, False), (8004, False), (8005, False)]
)
def test_a_port_answers_whom_its_row_names(port, expected):
    assert answers(port) is expected


def test_the_vm_reaches_itself_and_others(host):
    for address in ("127.0.0.1", ADDRESS):
        host.check_output(f"python3 -c 'import socket; socket.create_connection((\"{address}\", 8003), 2)'")
    host.check_output("apt-get update --quiet=2 --option=APT::Update::Error-Mode=any")


def test_it_answers_pings():
    """A raw socket, as the machine that runs the tests need not have ping. Type 8 code 0, identifier 1, sequence 1; the checksum completes it."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.settimeout(3)
        raw.connect((ADDRESS, 0))
        raw.send(bytes([8, 0, 0xF7, 0xFD, 0, 1, 0, 1]))
        assert raw.recv(64)[20:28] == bytes([0, 0, 0xFF, 0xFD, 0, 1, 0, 1])


def test_a_name_was_resolved(host):
    assert "ip saddr 127.0.0.1 tcp dport 8004 accept" in host.check_output(OURS)


def test_what_is_dropped_is_counted(host):
    """The log itself cannot be seen in a container."""
    rule = "nft --json list table inet quartet"

    def dropped() -> int:
        rows = [row["rule"] for row in json.loads(host.check_output(rule))["nftables"] if row.get("rule", {}).get("comment") == "dropped"]
        return rows[0]["expr"][0]["counter"]["packets"]

    before = dropped()
    assert not answers(8005)
    assert dropped() > before
    assert 'log prefix "quartet-drop "' in host.check_output(OURS)


@pytest.mark.parametrize("verb", ["start", "restart", "reload", "stop"])
def test_debians_unit_flushes_in_vain(host, verb):
    if verb == "start":
        host.check_output("systemctl stop nftables.service")
    host.check_output("nft 'table inet fleeting {}'")
    host.check_output(f"systemctl {verb} nftables.service")
    assert "fleeting" not in host.check_output("nft list tables")
    assert guarded()
    assert host.service("quartet-firewall").is_running


def test_debians_unit_does_not_bring_back_what_was_stopped(host):
    host.check_output("systemctl stop quartet-firewall.service && systemctl start nftables.service")
    assert answers(8002)
    host.check_output("systemctl stop nftables.service && systemctl start quartet-firewall.service")
    assert guarded()


def test_tables_of_others_are_untouched(host):
    host.check_output("nft 'table inet other { chain input { type filter hook input priority 5; tcp dport 9 counter drop; }; }'")
    other = host.check_output("nft --handle list table inet other")
    status, output = converge(firewall_rules=[{"what": "more", "ports": ["8005"], "from": ["any"]}])
    assert status == 0, output
    assert answers(8005)
    assert not answers(8001)
    assert converge()[0] == 0
    assert host.check_output("nft --handle list table inet other") == other
    host.check_output("nft delete table inet other")


def test_rules_that_lock_the_controller_out_are_taken_back(host):
    before = host.check_output(OURS)
    status, output = converge(firewall_ssh_clients=["192.0.2.1"], firewall_trial_seconds=15)
    assert status != 0
    assert "let no new ssh session in" in output
    assert "It took the rules back by itself and answers again." in output
    assert "quartet_ssh_clients" in output
    assert host.check_output(OURS) == before
    assert "192.0.2.1" in host.file("/etc/quartet/firewall-wanted.nft").content_string
    assert "192.0.2.1 tcp dport { 22 }" not in host.file("/etc/quartet/firewall.nft").content_string
    assert guarded()
    assert converge()[0] == 0


def test_first_rules_that_lock_out_leave_no_table(host):
    assert converge(firewall_enabled=False)[0] == 0
    status, output = converge(firewall_ssh_port=2222, firewall_trial_seconds=15)
    assert status != 0
    assert "It took the rules back by itself and answers again." in output
    assert "quartet_ssh_port" in output
    assert host.run(OURS).rc != 0
    assert answers(8005)
    assert converge()[0] == 0
    assert guarded()


def test_it_can_be_taken_away(host):
    assert converge(firewall_enabled=False)[0] == 0
    assert host.run(OURS).rc != 0
    assert answers(8002)
    for path in ("firewall.nft", "firewall-wanted.nft", "manifest.d/firewall.json"):
        assert not host.file(f"/etc/quartet/{path}").exists
    host.check_output("systemctl restart nftables.service && systemctl stop nftables.service")
    assert converge()[0] == 0
    assert guarded()


def test_rules_changed_by_hand_are_seen_and_mended(host):
    host.check_output("nft insert rule inet quartet input tcp dport 8002 accept")
    assert answers(8002)
    status, output = ansible(
        "ansible", "quartet", "-e", "ansible_become=true", "-m", "include_role", "-a", "name=firewall tasks_from=health"
    )
    assert status != 0
    assert "the kernel's table inet quartet is not that of" in output
    assert converge()[0] == 0
    assert guarded()


def test_a_wrong_row_is_refused_before_anything_changes(host):
    before = host.check_output(OURS)
    for row, words in (
        ({"what": "x", "ports": ["https"], "from": ["any"]}, "a list of numbers or ranges"),
        ({"what": "x", "ports": ["1"], "from": ["nowhere.invalid"]}, "names 'nowhere.invalid', which does not resolve there"),
    ):
        status, output = converge(firewall_rules=[row])
        assert status != 0
        assert words in output
    assert host.check_output(OURS) == before


def test_a_reboot_keeps_it(host, reboot):
    reboot()
    host.check_output("systemd-run --unit=listen-8001 python3 -m http.server 8001")
    host.check_output("systemd-run --unit=listen-8002 python3 -m http.server 8002")
    host.check_output(
        "for try in $(seq 50); do [ $(ss -Hltn 'sport >= 8001 and sport <= 8002' | wc -l) = 2 ] && exit; sleep 0.2; done; exit 1"
    )
    assert host.service("quartet-firewall").is_running, host.check_output("journalctl --boot --unit=quartet-firewall")
    assert guarded()


@pytest.mark.parametrize(
    ("other", "on", "off"),
    [("ufw", "ufw allow 22/tcp && ufw --force enable", "ufw disable"), ("firewalld", "true", "systemctl disable --now firewalld")],
)
def test_another_active_firewall_is_refused(host, other, on, off):
    host.check_output(f"DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends {other} && {on}")
    try:
        before = host.check_output(OURS)
        status, output = converge()
        assert status != 0
        assert f"mol-firewall has an active firewall of its own ({other})" in output
        assert "quartet_firewall: false" in output
        assert host.check_output(OURS) == before
    finally:
        host.check_output(off)
    # installed, but switched off
    assert converge()[0] == 0


def test_the_unit_is_hardened(host):
    result = host.run("systemd-analyze security --offline=true --threshold=15 /etc/systemd/system/quartet-firewall.service")
    assert result.rc == 0, result.stdout[-400:]


def test_the_manifest_names_what_was_added(host):
    manifest = json.loads(host.file("/etc/quartet/manifest.d/firewall.json").content_string)
    assert manifest["units"] == ["quartet-firewall.service"]
    assert all(host.file(path).exists for path in manifest["paths"])
