"""What the role's health check finds: an old version of the data, and a majority that acknowledges before its journal."""

from __future__ import annotations

import json

import pytest
import yaml
from molecule_play import ROOT, ansible, scenario_inventory

ADMIN = """
import json, sys, pymongo
order = json.load(sys.stdin)
client = pymongo.MongoClient("10.77.0.106", tls=True, tlsCAFile="/etc/quartet/pki/ca.crt", username="admin", password=order["password"])
if "compatibility" in order:
    client.admin.command("setFeatureCompatibilityVersion", order["compatibility"])
config = client.admin.command("replSetGetConfig")["config"]
config["version"] += 1
config["writeConcernMajorityJournalDefault"] = order["journal"]
client.admin.command("replSetReconfig", config)
"""


@pytest.fixture
def admin(host):
    """Return a function that changes the server as its administrator."""
    password = yaml.safe_load((scenario_inventory() / "secrets/secrets.yml").read_text())["secrets_values"]["mongodb_admin_password"]

    def admin(**order):
        text = json.dumps({"password": password, **order})
        host.check_output(f"printf %s '{text}' | /opt/quartet/mongodb/current/bin/python -c '{ADMIN}'")

    return admin


def health():
    """Run the role's check as the playbooks do; return its exit status and output with the line breaks folded away."""
    return ansible(
        "ansible",
        "mol-mongodb",
        "--become",
        f"--playbook-dir={ROOT / 'playbooks'}",
        f"--extra-vars=@{scenario_inventory() / 'secrets/secrets.yml'}",
        "--extra-vars=mongodb_health_timeout=3",
        "--module-name=ansible.builtin.include_role",
        "--args=name=mongodb tasks_from=health",
        seconds=120,
    )


def test_a_server_that_is_well_passes():
    status, output = health()
    assert status == 0, output


def test_what_would_lose_writes_or_stands_in_the_way_is_named(admin):
    admin(compatibility="5.0", journal=False)
    try:
        status, output = health()
    finally:
        admin(compatibility="6.0", journal=True)
    assert status != 0
    assert "the feature compatibility version is 5.0 under server 6.0.5" in output
    assert "writeConcernMajorityJournalDefault is off" in output
    status, output = health()
    assert status == 0, output
