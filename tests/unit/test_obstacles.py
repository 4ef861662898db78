"""What keeps libvirt or VirtualBox from making the lab's machines is named with its remedy, before a machine boots."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not shutil.which("ruby"), reason="Ruby comes with Vagrant, which is not installed")


def obstacles(provider: str, *, bridge: bool = False, networks: str = "") -> list[str]:
    call = f"QuartetLab.obstacles(:{provider}, bridge: {str(bridge).lower()}, networks: {json.dumps(networks)})"
    found: list[str] = json.loads(
        subprocess.check_output(["ruby", "-rjson", f"-r{ROOT}/lab/obstacles.rb", "-e", f"puts {call}.to_json"], text=True)
    )
    return found


def test_nothing_is_in_the_way() -> None:
    assert obstacles("libvirt") == []
    assert obstacles("virtualbox", networks="# ours\n* 192.168.0.0/16 10.0.0.0/8\n") == []


@pytest.mark.parametrize("networks", ["", "# * 10.77.0.0/24\n", "* 10.77.1.0/24 any\n", "* 192.168.56.0/21"])
def test_virtualbox_is_told_of_the_addresses(networks: str) -> None:
    (only,) = obstacles("virtualbox", networks=networks)
    assert "`* 10.77.0.0/24` into /etc/vbox/networks.conf" in only


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_the_lxc_lab_stands_in_the_way(provider: str) -> None:
    (only,) = obstacles(provider, bridge=True, networks="* 10.77.0.0/24")
    assert "`make lab-down`" in only
