"""Backup, drill and restore on a real MongoDB server and a real broker, with the users and rights that the inventory gives them."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from backup_installation import (
    COMMITTED,
    INVENTORY,
    USERS,
    VALIDATOR,
    Installation,
    commit,
    committed,
    contents,
    lent,
    prepared,
    running_installation,
    take_backup,
)
from kafka import KafkaConsumer
from kafka.admin import MemberToRemove
from quartet.backup import restore
from quartet.backup.manifest import Manifest, damaged_files, read_manifest
from quartet.kafka import client as kafka_client
from quartet.kafka import internals
from quartet.runtime.errors import ExitCode
from real_servers import PASSWORD, database


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running_installation(tmp_path_factory.mktemp("servers")) as found:
        yield found


@pytest.fixture
def installation(servers: Installation, tmp_path: Path) -> Installation:
    return prepared(servers, tmp_path)


@pytest.fixture(scope="module")
def taken(servers: Installation) -> Path:
    """Return a backup, of which each test gets a copy."""
    return take_backup(prepared(servers, servers.folder / "taken"))


@pytest.fixture
def backup(installation: Installation, taken: Path) -> Path:
    return Path(shutil.copytree(taken, installation.folder / "backups" / taken.name))


def test_a_backup_holds_documents_offsets_and_rights_and_no_secret(installation: Installation) -> None:
    ledgers = json.dumps([{"producer_id": 101, "run": "first"}])
    (installation.folder / "ledgers.json").write_text(ledgers)
    folder = take_backup(installation)
    manifest = read_manifest(folder)
    assert damaged_files(folder, manifest) == []
    assert {f"{c.database}.{c.name}": c.count for c in manifest.collections} == {
        "kafka_db.image": 3001,
        "team5_vm3_db.images": 50,
        "team5_vm3_db.incorrect_inference_results": 0,
        "team5_vm3_db.incorrect_inference_stream_results": 1,
    }
    # as another tool reads mongodump's layout
    documents = bson.decode_all(gzip.decompress((folder / "kafka_db/image.bson.gz").read_bytes()))
    assert documents == sorted(installation.database.admin["kafka_db"]["image"].find(), key=lambda d: str(d["_id"]))
    metadata = json.loads(gzip.decompress((folder / "kafka_db/image.metadata.json.gz").read_bytes()))
    assert metadata["options"]["validator"] == VALIDATOR
    assert list(metadata["indexes"][1]["key"]) == ["producer_id", "run", "sequence"]
    for group, (topic, offsets) in COMMITTED.items():
        assert manifest.committed[group] == {topic: offsets}
    assert manifest.topics["images"].end == [30, 30, 30]
    assert (manifest.server, manifest.feature_compatibility, manifest.cluster_id) == ("6.0.5", "6.0", "MkU3OEVBNTcwNTJENDM2Qg")
    assert manifest.stream[0].offsets == {"0": 7, "1": 0, "2": 3}
    assert (folder / "ledgers.json").read_text() == ledgers
    kafka = json.loads((folder / "kafka.json").read_text())
    assert kafka["users"]["db_consumer"] == ["SCRAM_SHA_512"]
    assert {"User:producer", "User:backup"} <= {acl["principal"] for acl in kafka["acls"]}
    for file in folder.rglob("*"):
        if file.is_file():
            content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            assert PASSWORD.encode() not in content
            assert file.stat().st_mode & 0o077 == 0 or folder.stat().st_mode & 0o077 == 0


def test_a_drill_restores_compares_logs_in_and_leaves_nothing(
    installation: Installation, backup: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = installation.database.admin.admin.command("serverStatus")["opcounters"]
    assert installation.run("restore-drill") == 0
    said = capsys.readouterr().out
    assert "3,052 documents" in said
    assert "logged in: db_consumer, spark, auditor, backup, restore" in said
    assert installation.shelf().passed_drill(backup.name)
    assert "quartet_restore_drill_last_success_timestamp_seconds" in (installation.folder / "quartet_restore_drill.prom").read_text()
    assert not (installation.folder / "scratch").exists()
    after = installation.database.admin.admin.command("serverStatus")["opcounters"]
    assert [after[kind] - before[kind] for kind in ("insert", "update", "delete", "query")] == [0, 0, 0, 0]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
@pytest.mark.parametrize("name", ["kafka_db/image.bson.gz", "team5_vm3_db/images.metadata.json.gz", "kafka.json", "manifest.json"])
def test_a_damaged_backup_is_refused_and_the_file_named(
    installation: Installation, backup: Path, capsys: pytest.CaptureFixture[str], damage: Any, name: str
) -> None:
    damage(backup / name)
    assert installation.run("restore-drill", "--backup", backup.name) == ExitCode.INPUT
    said = capsys.readouterr().err
    assert (name if name != "manifest.json" else backup.name) in said
    assert not (installation.folder / "quartet_restore_drill.prom").exists()
    assert not installation.shelf().passed_drill(backup.name)


@pytest.mark.parametrize("words", [("restore-drill",), ("restore", "check")])
def test_a_backup_of_another_inventory_is_refused_with_both_ids(
    installation: Installation, backup: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert installation.run(*words, inventory_id="f0f0f0") == ExitCode.INPUT
    said = capsys.readouterr().err
    assert "inventory id a1b2c3" in said
    assert "f0f0f0" in said


def test_a_user_whose_role_is_gone_is_named(installation: Installation, backup: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roles = [role for role in INVENTORY["roles"] if role["name"] != "quartet_spark"]
    assert installation.run("restore-drill", roles=roles) == ExitCode.FAILED
    said = capsys.readouterr().err
    assert "user spark cannot be made" in said


def test_a_drill_without_room_is_refused(
    installation: Installation, backup: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 0, 400 * 2**20))  # type: ignore[attr-defined]
    assert installation.run("restore-drill") == ExitCode.FAILED
    said = capsys.readouterr().err
    assert "bytes and" in said
    assert "make room" in said


def test_a_restore_gives_back_the_documents_and_sets_the_groups(installation: Installation, backup: Path) -> None:
    commit(installation.broker, add=4)
    with database(installation.folder / "mongodb", installation.authority, installation.mongod) as empty:
        empty.set_up(INVENTORY["roles"], USERS)
        mongodb = {"hosts": [empty.address], "user": "backup", "ca_file": str(installation.authority.file)}
        assert installation.run("restore", "check", mongodb=mongodb) == 0
        assert empty.admin["kafka_db"].list_collection_names() == []
        assert installation.run("restore", "database", *lent(installation), mongodb=mongodb) == 0
        assert contents(empty) == contents(installation.database)
        # as after an interruption
        empty.admin["kafka_db"]["image"].delete_many({"_id": {"$gt": "101-first-000000002000"}})
        assert installation.run("restore", "database", *lent(installation), mongodb=mongodb) == 0
        assert contents(empty) == contents(installation.database)
        empty.admin["kafka_db"]["image"].insert_one({"_id": "another", "payload_sha256": "y"})
        assert installation.run("restore", "database", *lent(installation), mongodb=mongodb) == ExitCode.INPUT
    assert installation.run("restore", "offsets", *lent(installation)) == 0
    assert committed(installation.broker, "db-consumer-images") == {0: 10, 1: 20, 2: 5}
    assert committed(installation.broker, "db-consumer-inferences") == {0: 7, 1: 0, 2: 3}
    assert committed(installation.broker, "inference-63d52f7df596") == {0: 0, 1: 0, 2: 0}
    assert committed(installation.broker, "a-user") == {0: 5, 1: 5, 2: 5}


def test_the_backups_own_user_may_not_restore(installation: Installation, backup: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert installation.run("restore", "database") == ExitCode.CREDENTIALS
    assert installation.run("restore", "offsets") == ExitCode.CREDENTIALS
    said = capsys.readouterr().err
    assert "does not allow it" in said
    assert committed(installation.broker, "db-consumer-images") == {0: 10, 1: 20, 2: 5}


def test_groups_with_members_are_named_and_left_alone(
    installation: Installation, backup: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "_EMPTY_SECONDS", 2.0)
    options = kafka_client.client_options(installation.broker.settings, PASSWORD)
    member = KafkaConsumer(**options, group_id="db-consumer-images", group_instance_id="a-member", enable_auto_commit=False)
    try:
        member.subscribe(["images"])
        # as GroupConsumer does: a member that joins before it knows the partitions may wait for ever
        internals.partitions_of_topic(member, "images", 10)
        while not member.assignment():
            member.poll(200)
        assert installation.run("restore", "offsets", *lent(installation)) == ExitCode.UNAVAILABLE
    finally:
        member.close()
        installation.broker.admin.remove_group_members("db-consumer-images", [MemberToRemove(group_instance_id="a-member")])
    said = capsys.readouterr().err
    assert "db-consumer-images: a-member" in said


def test_a_second_command_waits_for_nobody(installation: Installation, backup: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with installation.shelf().locked():
        assert installation.run("restore-drill") == ExitCode.UNAVAILABLE
    said = capsys.readouterr().err
    assert "at work" in said


def test_a_backup_of_a_newer_server_is_refused_with_both_versions(
    installation: Installation, backup: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def newer(folder: Path) -> Manifest:
        return read_manifest(folder).model_copy(update={"server": "8.0.17", "feature_compatibility": "8.0"})

    monkeypatch.setattr("quartet.backup.drill.read_manifest", newer)
    assert installation.run("restore-drill") == ExitCode.INPUT
    said = capsys.readouterr().err
    assert "8.0.17" in said
    assert "6.0.5" in said
