"""What a failing run shows: the reason, the end of the server's journal, and no secret."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
CANARY = "canary-of-a-wrong-password"
JOURNAL = "mongod.service is active. The last lines of its journal:"


@pytest.fixture
def start():
    """Return a function that runs playbooks/start.yml, which must fail; it returns the output with the line breaks folded away."""
    secrets = yaml.safe_load((EPHEMERAL / "inventory/secrets/secrets.yml").read_text())["secrets_values"]

    def start(**options: object) -> str:
        file = EPHEMERAL / "options.json"
        file.write_text(json.dumps({"secrets_values": secrets, **options}))
        result = subprocess.run(
            [
                "ansible-playbook",
                "-vvv",
                "--diff",
                "-i",
                str(EPHEMERAL / "inventory"),
                str(PROJECT / "playbooks/start.yml"),
                "-e",
                f"@{file}",
            ],
            env={**os.environ, "ANSIBLE_CONFIG": str(EPHEMERAL / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        file.unlink()
        output = result.stdout + result.stderr
        assert result.returncode != 0, output
        assert not [name for name, value in secrets.items() if name not in ("inventory_id", "kafka_cluster_id") and value in output]
        return " ".join(output.split())

    return start


def test_a_wrong_password_is_named_and_not_shown(start):
    output = start(mongodb_admin_password=CANARY)
    assert 'mol-mongodb: the task "Reconcile collections, roles and users" failed.' in output
    assert "the database does not accept the user admin with the password of the secrets folder" in output
    assert JOURNAL in output
    assert CANARY not in output


def test_what_the_database_refuses_is_named(start):
    output = start(mongodb_users=[{"name": "guest", "password": CANARY, "roles": ["no_such_role"]}])
    assert "refused user guest" in output
    assert CANARY not in output


def test_a_server_that_does_not_come_up_says_why(start, host):
    key = "/etc/quartet/pki/mongodb.pem"
    host.check_output(f"mv {key} {key}.away && systemctl stop mongod.service")
    try:
        output = start()
    finally:
        host.check_output(f"mv {key}.away {key} && systemctl restart mongod.service")
    assert 'the task "Restart each unit" failed.' in output
    assert "The last lines of its journal:" in output
    assert "mongod.service: Failed at step CREDENTIALS" in output


def test_the_server_and_the_apps_wait_for_the_firewall(start, host):
    host.check_output("nft flush ruleset && systemctl stop mongod.service")
    try:
        output = start()
    finally:
        host.check_output("systemctl restart quartet-firewall.service && systemctl start mongod.service")
    assert 'the task "Restart each unit" failed.' in output
    assert "mongod.service is activating. The last lines of its journal:" in output
    assert "Held back: the firewall (quartet-firewall.service) is not in force." in output
