"""The database: TLS and passwords only, each app its rights, a majority's journal, and acknowledged writes that outlive a restart and a kill."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import yaml

SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets" / "secrets.yml"
PYTHON = "/opt/quartet/mongodb/current/bin/python"
UNIT = "mongod.service"
CLIENT = """
import json, sys, pymongo
from pymongo import WriteConcern, errors
order = json.load(sys.stdin)
tls = {"tls": True, "tlsCAFile": "/etc/quartet/pki/ca.crt"} if order.get("tls", True) else {}
client = pymongo.MongoClient("10.77.0.106", 27017, username=order.get("user"), password=order.get("password"), serverSelectionTimeoutMS=4000,
                             directConnection=True, **tls)
try:
    result = eval(order["do"], {"client": client, "WriteConcern": WriteConcern})
    print(json.dumps({"ok": True, "result": result}, default=str))
except errors.PyMongoError as error:
    print(json.dumps({"ok": False, "code": getattr(error, "code", None), "text": str(error)}))
"""
COUNT = "client['kafka_db']['image'].count_documents({'_id': '%s'})"
WRITE = (
    "client['kafka_db'].get_collection('image', write_concern=WriteConcern('majority', j=True)).insert_one("
    "{'_id': '%s', 'image': b'x' * 3072, 'payload_sha256': '0' * 64, 'producer_id': 101, 'run': 'test', 'sequence': 1, 'captured_at': 1,"
    " 'received_at': 1, 'kafka': {'topic': 'images', 'topic_id': 'x', 'partition': 0, 'offset': 0}}).acknowledged"
)


@pytest.fixture(scope="module")
def ask(host):
    """Run an expression in PyMongo on the VM, as a user."""
    passwords = yaml.safe_load(SECRETS.read_text())["secrets_values"]

    def ask(do, user=None, **order):
        if user:
            order = {"user": user, "password": passwords[f"mongodb_{user}_password"], **order}
        text = json.dumps({"do": do, **order}).replace("'", "'\\''")
        return json.loads(host.check_output(f"printf %s '{text}' | {PYTHON} -c '{CLIENT}'"))

    return ask


def journal(host):
    return host.run("journalctl --no-pager -o cat -n 60 -u %s", UNIT).stdout


def test_the_server_runs(host):
    assert host.service(UNIT).is_running, journal(host)
    assert host.service(UNIT).is_enabled
    assert host.check_output("systemctl show -P NRestarts %s", UNIT) == "0"


def test_the_unit_is_hardened(host):
    result = host.run("systemd-analyze security --offline=true --threshold=15 /etc/systemd/system/mongod.service")
    assert result.rc == 0, result.stdout[-400:]


def test_the_configuration_has_no_hole(host):
    config = yaml.safe_load(host.file("/etc/mongod.conf").content_string)
    assert config["net"]["tls"]["mode"] == "requireTLS"
    assert config["net"]["bindIp"] == "10.77.0.106"
    assert "zlib" not in config["net"]["compression"]["compressors"]
    assert config["security"]["authorization"] == "enabled"
    assert config["security"]["keyFile"] == "/run/mongod/keyfile"
    assert config["security"]["javascriptEnabled"] is False
    assert config["replication"]["replSetName"] == "quartet"
    assert config["setParameter"] == {
        "maxIndexBuildMemoryUsageMegabytes": 64,
        "authenticationMechanisms": "SCRAM-SHA-256",
        "enableLocalhostAuthBypass": False,
        "suppressNoTLSPeerCertificateWarning": True,
    }


def test_the_members_key_is_roots_alone(host):
    key = host.file("/etc/quartet/secrets/mongodb-keyfile")
    assert (key.user, key.mode) == ("root", 0o600)
    assert len(key.content_string.strip()) == 756
    copy = host.file("/run/mongod/keyfile")
    assert (copy.user, copy.mode) == ("mongodb", 0o400)


def test_it_is_the_primary_of_its_replica_set(ask):
    hello = ask("client.admin.command('hello')", user="auditor")["result"]
    assert (hello["setName"], hello["isWritablePrimary"]) == ("quartet", True)


def test_plaintext_is_refused(ask):
    assert not ask("client.admin.command('ping')", tls=False)["ok"]


def test_nobody_reads_without_credentials(ask):
    answer = ask("client['kafka_db']['image'].find_one()")
    assert (answer["ok"], answer["code"]) == (False, 13)


def test_a_wrong_password_is_refused(ask):
    answer = ask("client['kafka_db']['image'].find_one()", user="auditor", password="wrong")
    assert (answer["ok"], answer["code"]) == (False, 18)


def test_each_app_has_its_rights_alone(ask):
    assert ask(WRITE % "101-test-000000000001", user="db_consumer") == {"ok": True, "result": True}
    assert ask(WRITE % "not an id", user="db_consumer")["code"] == 121
    assert ask("client['other']['things'].insert_one({}).acknowledged", user="db_consumer")["code"] == 13
    for change in ("update_one({}, {'$set': {'run': 'other'}})", "delete_many({})"):
        assert ask(f"client['kafka_db']['image'].{change}.acknowledged", user="db_consumer")["code"] == 13, change
    for reader in ("auditor", "spark"):
        assert ask(WRITE % "101-test-000000000002", user=reader)["code"] == 13, reader
    assert ask(COUNT % "101-test-000000000001", user="auditor")["result"] == 1
    assert ask(COUNT % "101-test-000000000001", user="spark")["code"] == 13


@pytest.mark.parametrize(
    ("number", "how"),
    [(11, "systemctl restart mongod.service"), (12, "systemctl kill --signal=KILL mongod.service")],
    ids=["restart", "kill"],
)
def test_an_acknowledged_write_outlives(ask, host, number, how):
    name = f"101-test-{number:012d}"
    before = host.check_output("systemctl show -P MainPID %s", UNIT)
    assert ask(WRITE % name, user="db_consumer") == {"ok": True, "result": True}
    host.check_output(how)
    end = time.monotonic() + 60
    while not (answer := ask(COUNT % name, user="auditor"))["ok"]:
        assert time.monotonic() < end, (answer, journal(host))
        time.sleep(1)
    assert answer["result"] == 1
    assert host.check_output("systemctl show -P MainPID %s", UNIT) != before
    # as primary again, it takes writes
    while not (answer := ask(WRITE % f"101-test-{number + 100:012d}", user="db_consumer"))["ok"]:
        assert time.monotonic() < end, (answer, journal(host))
        time.sleep(1)
