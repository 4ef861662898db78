"""lab/doctor judges what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from role_modules import load_file

PATH = Path(__file__).resolve().parents[2] / "lab/doctor"
doctor = load_file(PATH, "doctor")


@pytest.mark.parametrize(
    ("release", "machine", "level"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "x86_64", "ok"),
        ('ID=debian\nVERSION_ID="13"\n', "x86_64", "note"),
        ('ID=debian\nVERSION_ID="12"\n', "aarch64", "stop"),
        ("ID=fedora\nVERSION_ID=42\n", "x86_64", "stop"),
    ],
)
def test_the_operating_system(release: str, machine: str, level: str) -> None:
    assert doctor.system(release, machine).level == level


@pytest.mark.parametrize(("free", "level"), [(4_000, "stop"), (16_000, "ok")])
def test_memory(free: int, level: str) -> None:
    finding = doctor.memory(f"MemTotal: 99999999 kB\nMemAvailable: {free * 1024} kB\n")
    assert finding.level == level
    assert str(free) in finding.text


def test_a_clash_of_addresses_is_named() -> None:
    assert doctor.subnet("10.77.0.0/24 dev eth1 proto kernel\n").level == "stop"
    assert doctor.subnet("10.77.0.0/24 dev quartet0 proto kernel\n10.0.0.0/8 dev eth0\n").level == "ok"


def test_machines_of_another_checkout_are_named(tmp_path: Path) -> None:
    containers, vagrant = tmp_path / "lxc", tmp_path / "vagrant"
    assert doctor.machines(containers, vagrant).level == "ok"
    for name in ("quartet-vm1", "quartet-vm2", "quartet-molecule-base"):
        (containers / name).mkdir(parents=True)
    (vagrant / "machines/vm1/lxc").mkdir(parents=True)
    (vagrant / "machines/vm1/lxc/id").write_text("quartet-vm1")
    finding = doctor.machines(containers, vagrant)
    assert (finding.level, finding.text) == ("stop", "quartet-vm2: left by another checkout")
    assert "make lab-down" in finding.remedy


# As ufw 0.36 prints them, with its own columns
UFW = """Status: active
Logging: on (low)
Default: deny (incoming), allow (outgoing), deny (routed)
New profiles: skip

To                         Action      From
--                         ------      ----
22/tcp                     ALLOW IN    Anywhere
"""
TO_HOST = "Anywhere on quartet0       ALLOW IN    Anywhere\n"
THROUGH = "Anywhere                   ALLOW FWD   Anywhere on quartet0\n"


@pytest.mark.parametrize(
    ("configured", "status", "level"),
    [
        ("", None, "ok"),
        ("# Set to yes to start on boot\nENABLED=no\n", None, "ok"),
        ("ENABLED=yes\n", None, "note"),
        ("ENABLED=yes\n", "Status: inactive\n", "ok"),
        ("ENABLED=no\n", UFW, "stop"),
        ("ENABLED=yes\n", UFW + TO_HOST, "stop"),
        ("ENABLED=yes\n", UFW + THROUGH, "stop"),
        ("ENABLED=yes\n", UFW + TO_HOST + THROUGH, "ok"),
        ("ENABLED=yes\n", UFW.replace("deny (routed)", "allow (routed)") + TO_HOST, "ok"),
    ],
)
def test_ufw_that_gives_machines_no_address_is_named(configured: str, status: str | None, level: str) -> None:
    finding = doctor.ufw(configured, status)
    assert finding.level == level
    assert level == "ok" or "ufw allow in on quartet0 && ufw route allow in on quartet0" in finding.remedy


@pytest.mark.parametrize(
    ("zone", "active", "root", "level"),
    [
        (None, False, True, "ok"),
        (None, True, True, "stop"),
        (None, True, False, "note"),
        ("public\n", True, False, "stop"),
        ("trusted\n", True, False, "ok"),
    ],
)
def test_firewalld_that_gives_machines_no_address_is_named(zone: str | None, active: bool, root: bool, level: str) -> None:
    finding = doctor.firewalld(zone, active=active, root=root)
    assert finding.level == level
    assert level == "ok" or "firewall-cmd --permanent --zone=trusted --add-interface=quartet0" in finding.remedy


def test_a_packet_filter_that_drops_is_named() -> None:
    ours = "table inet quartet_lab {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n}\n"
    theirs = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\n"
    assert doctor.packet_filter(ours).level == "ok"
    finding = doctor.packet_filter(theirs + ours)
    assert finding.level == "note"
    assert "(inet filter)" in finding.text


def test_what_it_reads_is_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert doctor.output("sh", "-c", "echo $LC_ALL") == "C.UTF-8\n"


def test_what_stops_has_a_remedy() -> None:
    assert doctor.memory("MemAvailable: 1024 kB\n").remedy
    assert doctor.subnet("10.77.0.0/24 dev eth1\n").remedy
