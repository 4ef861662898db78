"""The vendor's server out of a signed source, under the role's unit: it starts, an app logs in, and what it wrote outlives a restart."""

from __future__ import annotations

import json
import os
from pathlib import Path

import yaml

SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets" / "secrets.yml"
# Writes an image as the DB consumer, restarts the server, and reads it again.
OUTLIVES = """
import json, subprocess, sys, pymongo
from pymongo import WriteConcern
client = pymongo.MongoClient("10.77.0.122", tls=True, tlsCAFile="/etc/quartet/pki/ca.crt", username="db_consumer", password=sys.stdin.read())
hello = client.admin.command("hello")
version = client.admin.command("buildInfo")["version"]
images = client["kafka_db"].get_collection("image", write_concern=WriteConcern("majority", j=True))
images.insert_one({
    "_id": "101-test-000000000001", "image": bytes(3072), "payload_sha256": "0" * 64, "producer_id": 101, "run": "test", "sequence": 1,
    "captured_at": 1, "received_at": 1, "kafka": {"topic": "images", "topic_id": "x", "partition": 0, "offset": 0}})
subprocess.run(["systemctl", "restart", "mongod.service"], check=True)
print(json.dumps({"set": hello["setName"], "primary": hello["isWritablePrimary"], "version": version, "images": images.count_documents({})}))
"""


def test_the_package_came_from_the_signed_source(host):
    source = host.file("/etc/apt/sources.list.d/mongodb-org.list").content_string
    assert "[signed-by=/etc/apt/keyrings/mongodb-org.asc]" in source
    assert host.package("mongodb-org-server").version == "6.0.5"


def test_a_source_that_another_key_signed_is_refused(host):
    host.check_output("cp /etc/apt/keyrings/mongodb-org.asc /run/kept.asc")
    host.check_output(
        "GNUPGHOME=$(mktemp -d); export GNUPGHOME; gpg --batch --quiet --passphrase '' --quick-generate-key stranger rsa2048 sign 1d"
        " && gpg --armor --export > /etc/apt/keyrings/mongodb-org.asc"
    )
    try:
        output = host.run(
            "apt-get update -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/mongodb-org.list"
        )
        assert "NO_PUBKEY" in output.stdout + output.stderr
    finally:
        host.check_output("cp /run/kept.asc /etc/apt/keyrings/mongodb-org.asc")


def test_the_roles_own_unit_and_configuration_are_in_place_of_the_packages(host):
    assert host.check_output("systemctl show -P FragmentPath mongod.service") == "/etc/systemd/system/mongod.service"
    assert "/usr/bin/mongod --config /etc/mongod.conf" in host.check_output("systemctl show -P ExecStart mongod.service")
    assert "requireTLS" in host.file("/etc/mongod.conf").content_string


def test_an_app_logs_in_and_its_write_outlives_a_restart(host):
    password = yaml.safe_load(SECRETS.read_text())["secrets_values"]["mongodb_db_consumer_password"]
    found = json.loads(host.check_output(f"printf %s '{password}' | /opt/quartet/mongodb/current/bin/python -c '{OUTLIVES}'"))
    assert found == {"set": "quartet", "primary": True, "version": "6.0.5", "images": 1}
    journal = host.check_output("journalctl --no-pager -o cat -u mongod.service")
    assert "code=killed" not in journal
    assert host.check_output("systemctl show -P NRestarts mongod.service") == "0"
