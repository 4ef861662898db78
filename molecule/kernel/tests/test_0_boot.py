"""A real boot: the root is read-only at first, the firewall comes before the network, everything starts, and drops are logged."""

from __future__ import annotations

import platform
import re
import socket
import time

UNITS = ("mongod", "kafka", "quartet-db-consumer@images", "quartet-db-consumer@inferences")
LOGGED = "journalctl --no-pager --boot --dmesg --output=cat --grep=quartet-drop || true"


def seconds(machine, unit, moment):
    """Return when a unit came so far at this boot, in seconds since the kernel's start."""
    return int(machine.run(f"systemctl show -P {moment}TimestampMonotonic {unit}")) / 1e6


def test_it_has_a_kernel_of_its_own(machine):
    kind, release = machine.run("systemd-detect-virt --container || true; uname -r").split()
    assert kind == "none"
    assert release.endswith("-cloud-amd64")
    assert release != platform.release()


def test_the_firewall_is_loaded_after_the_root_is_writable_and_before_the_network(machine):
    assert "rw" not in machine.run("cat /proc/cmdline").split()
    mounts = machine.run("journalctl --no-pager --boot --dmesg --output=cat --grep='EXT4-fs .vda'")
    assert re.search(r"mounted filesystem.*\n(.*\n)*.*re-mounted", mounts), mounts
    loaded = seconds(machine, "quartet-firewall.service", "ActiveEnter")
    assert 0 < seconds(machine, "systemd-remount-fs.service", "ActiveEnter") < loaded
    assert loaded <= seconds(machine, "network-pre.target", "ActiveEnter")
    for unit in ("systemd-networkd", "ssh", *UNITS):
        assert loaded < seconds(machine, unit, "ExecMainStart"), unit
    assert machine.run("systemctl is-active quartet-firewall.service; nft list chain inet quartet input").startswith("active\n")


def test_everything_is_active(machine):
    assert machine.run(f"systemctl is-active {' '.join(UNITS)}").split() == ["active"] * len(UNITS)
    assert machine.run("systemctl --failed --plain --no-legend") == ""
    # finite producers have sent everything, and a boot changes nothing in that
    for unit in ("quartet-producer@101", "quartet-producer@102"):
        ended = f"for try in $(seq 150); do systemctl --quiet is-active {unit} || break; sleep 1; done; systemctl show -P Result {unit}"
        assert machine.run(ended) == "success\n"


def test_what_is_dropped_for_this_host_is_logged_and_what_neighbours_send_to_everybody_is_not(machine):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as everybody:
        everybody.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        everybody.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"quartet0")
        for _ in range(30):
            everybody.sendto(b"hello", ("255.255.255.255", 8006))
    with socket.socket() as stranger:
        stranger.settimeout(3)
        assert stranger.connect_ex((machine.address, 8005)) != 0
    time.sleep(2)
    lines = machine.run(LOGGED).splitlines()
    assert any(f"DST={machine.address} " in line and "DPT=8005 " in line for line in lines), lines
    assert [line for line in lines if f"DST={machine.address} " not in line] == []
