"""The database: TLS and passwords only, each app its rights, validators that refuse, writes that are durable."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets" / "secrets.yml"
PYTHON = "/opt/quartet/mongodb/current/bin/python"
UNIT = "secantusdb.service"
CLIENT = """
import json, sys, pymongo
from pymongo import errors
order = json.load(sys.stdin)
client = pymongo.MongoClient("10.77.0.106", 27017, tls=order.get("tls", True), tlsCAFile="/etc/quartet/pki/ca.crt" if order.get("tls", True) else None,
                             username=order.get("user"), password=order.get("password"), serverSelectionTimeoutMS=4000, directConnection=True)
try:
    result = eval(order["do"], {"client": client})
    print(json.dumps({"ok": True, "result": result}, default=str))
except errors.PyMongoError as error:
    print(json.dumps({"ok": False, "kind": type(error).__name__, "code": getattr(error, "code", None), "text": str(error)}))
"""
IMAGE = {
    "_id": "101-test-000000000001", "image": "", "payload_sha256": "0" * 64, "producer_id": 101, "run": "test", "sequence": 1,
    "captured_at": 1, "received_at": 1, "kafka": {"topic": "images", "topic_id": "x", "partition": 0, "offset": 0},
}  # fmt: skip


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


def write(document):
    return f"str(client['kafka_db']['image'].insert_one({document!r}).inserted_id)"


# First, because the tests after it hand passwords over on command lines of their own.
def test_no_password_shows(host):
    values = yaml.safe_load(SECRETS.read_text())["secrets_values"]
    journal = host.check_output("journalctl --no-pager -o verbose")
    processes = host.check_output("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n'")
    for name, value in values.items():
        if name.startswith("mongodb_"):
            assert value not in journal, name
            assert value not in processes, name


def test_the_server_runs_and_writes_are_durable(host):
    assert host.service(UNIT).is_running, host.check_output("journalctl --no-pager -n 60 -u %s", UNIT)
    assert host.service(UNIT).is_enabled
    assert "--sync-on-commit" in host.check_output("systemctl show -P ExecStart %s", UNIT)
    assert "--auth" in host.check_output("systemctl show -P ExecStart %s", UNIT)


def test_the_unit_is_hardened(host):
    file = host.check_output("systemctl show -P FragmentPath %s", UNIT)
    result = host.run("systemd-analyze security --offline=true --threshold=15 %s", file)
    assert result.rc == 0, result.stdout[-400:]


def test_plaintext_is_refused(ask):
    assert not ask("client.admin.command('ping')", tls=False)["ok"]


def test_nobody_reads_without_credentials(ask):
    assert not ask("client['kafka_db']['image'].find_one()")["ok"]


def test_a_wrong_password_is_refused(ask):
    answer = ask("client['kafka_db']['image'].find_one()", user="auditor", password="wrong")
    assert not answer["ok"]
    assert answer["code"] == 18


def test_the_db_consumer_writes_what_fits_and_nothing_else(ask):
    good = {**IMAGE, "image": "IMAGE"}
    assert ask(write(good).replace("'IMAGE'", "b'x' * 3072"), user="db_consumer")["result"] == "101-test-000000000001"
    bad = ask(write({**IMAGE, "_id": "not an id"}), user="db_consumer")
    assert (bad["ok"], bad["code"]) == (False, 121), bad
    assert not ask("client['other']['things'].insert_one({}).acknowledged", user="db_consumer")["ok"]
    assert not ask("client.drop_database('kafka_db')", user="db_consumer")["ok"]
    for change in ("update_one({}, {'$set': {'run': 'other'}}).acknowledged", "delete_many({}).acknowledged"):
        assert ask(f"client['kafka_db']['image'].{change}", user="db_consumer")["code"] == 13, change


@pytest.mark.parametrize("user", ["auditor", "spark"])
def test_readers_write_no_images(ask, user):
    assert not ask(write({**IMAGE, "_id": "101-test-000000000002"}), user=user)["ok"]


def test_the_auditor_reads_and_spark_does_not_read_images(ask):
    assert ask("client['kafka_db']['image'].count_documents({})", user="auditor")["ok"]
    assert not ask("client['kafka_db']['image'].count_documents({})", user="spark")["ok"]


def test_acknowledged_writes_survive_a_kill(ask, host):
    ask("client['kafka_db']['image'].count_documents({})", user="auditor")
    host.check_output("systemctl kill --signal=KILL %s", UNIT)
    for _ in range(10):
        answer = ask("client['kafka_db']['image'].count_documents({'_id': '101-test-000000000001'})", user="auditor")
        if answer["ok"]:
            assert answer["result"] == 1
            return
    raise AssertionError(answer)


@pytest.mark.parametrize(
    ("error", "status"), [("WT_PANIC: WiredTiger library panic", os.EX_OSERR), ("WT_ROLLBACK: conflict between concurrent operations", 0)]
)
def test_the_server_ends_when_its_storage_engine_has_given_up(host, error, status):
    script = f"""
import logging, sys
sys.path.insert(0, "/opt/quartet/secantusdb")
import secantusd
logging.getLogger("secantus").addHandler(secantusd.EndAtPanic())
try:
    raise RuntimeError("{error}")
except RuntimeError:
    logging.getLogger("secantus.server").exception("unhandled error on connection 1")
"""
    assert host.run("/opt/quartet/secantusdb/current/bin/python -c %s", script).rc == status
