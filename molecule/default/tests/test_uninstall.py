"""make uninstall keeps data and says so; a purge leaves the VM as it was before the installation. After all other tests of this VM."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from molecule_play import play

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SNAPSHOT = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]) / "snapshot.py"
DATA = ("/var/lib/mongodb", "/var/lib/kafka", "/var/lib/quartet-producer", "/var/lib/quartet-spark", "/var/lib/quartet-backup")
#: What stays after a purge, with its reason
STAYS = (
    "file /usr/share/man/man1",  # for the package of Java, as in an image with manual pages
)


@pytest.fixture(scope="module")
def uninstalled(host):
    host.run("DEBIAN_FRONTEND=noninteractive apt-get purge --yes --quiet=2 --autoremove curl kcat")  # other tests installed them
    status, output = play("playbooks/uninstall.yml", seconds=600)
    assert status == 0, output[-3000:]
    return output


def test_nothing_runs_and_data_stay(host, uninstalled):
    assert host.check_output("systemctl list-units --all --plain --no-legend 'quartet-*' 'kafka*' 'mongod*' 'spark-*'") == ""
    for folder in DATA:
        assert host.file(folder).is_directory, folder
        assert f"kept {folder} (" in uninstalled
    for folder in ("/opt/quartet", "/etc/quartet/secrets", "/etc/quartet/pki"):
        assert not host.file(folder).exists, folder


def test_a_purge_wants_the_inventorys_id(host, uninstalled):
    status, output = play("playbooks/uninstall.yml", purge=True, confirm="yes")
    assert status != 0
    assert "/etc/quartet/inventory-id" in output
    assert host.file(DATA[0]).is_directory


def test_a_purge_leaves_the_machine_as_it_was(host, uninstalled):
    identity = yaml.safe_load((EPHEMERAL / "inventory/secrets/secrets.yml").read_text())["secrets_values"]["inventory_id"]
    status, output = play("playbooks/uninstall.yml", purge=True, confirm=identity, seconds=600)
    assert status == 0, output[-3000:]
    after = set(host.check_output("python3 -c %s", SNAPSHOT.read_text()).splitlines())
    before = set((EPHEMERAL / "before.txt").read_text().splitlines())
    assert sorted(line for line in after - before if not line.startswith(STAYS)) == []
    assert sorted(before - after) == []
    assert not (EPHEMERAL / "inventory/secrets").exists()
