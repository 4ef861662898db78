"""What a backup is compared with before a restore, and which backups may be removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from quartet.backup.compatibility import plan_groups, refusals
from quartet.backup.manifest import MANIFEST, Manifest, Topic, read_manifest, write_manifest
from quartet.backup.shelf import Shelf
from quartet.runtime.errors import QuartetError

GROUPS = {"db-consumer-images": "images"}


def manifest(**changes: object) -> Manifest:
    whole = {
        "format": 1,
        "name": "20261126T031500Z",
        "began_at": 1,
        "ended_at": 2,
        "quartet": "0.1.1",
        "inventory_id": "a1b2c3",
        "model": "0123456789ab",
        "server": "8.0.17",
        "feature_compatibility": "8.0",
        "cluster_id": "x",
        "topics": {"images": {"id": "one", "begin": [0, 5], "end": [100, 100]}},
        "committed": {"db-consumer-images": {"images": [90, -1]}},
        "stream": [],
        "ledgers_exported_at": None,
        "collections": [],
        "files": [],
    }
    return Manifest.model_validate(whole | changes)


def test_what_fits_is_not_refused() -> None:
    assert refusals(manifest(), "a1b2c3", "8.0.20") == []


@pytest.mark.parametrize(
    ("changes", "server", "both"),
    [
        ({"inventory_id": "other"}, "8.0.17", ("other", "a1b2c3")),
        ({"server": "9.0.1", "feature_compatibility": "9.0"}, "8.0.17", ("9.0.1", "8.0.17")),
        ({"feature_compatibility": "7.0"}, "8.0.17", ("7.0", "8.0")),
    ],
)
def test_what_does_not_fit_is_refused_with_both_values(changes: dict[str, str], server: str, both: tuple[str, str]) -> None:
    [said] = refusals(manifest(**changes), "a1b2c3", server)
    assert all(value in said for value in both)


def test_a_group_continues_at_its_offsets_and_at_the_beginning_where_it_had_none() -> None:
    plan = plan_groups(manifest(), {"images": Topic(id="one", begin=[0, 0], end=[200, 200])}, GROUPS)
    assert (plan.refusals, plan.losses) == ([], [])
    assert plan.positions == {"db-consumer-images": {0: 90, 1: 5}}


def test_deleted_records_are_named() -> None:
    plan = plan_groups(manifest(), {"images": Topic(id="one", begin=[95, 5], end=[200, 200])}, GROUPS)
    assert plan.losses == ["records 90-94 of images/0, which db-consumer-images had not read, are deleted from the log"]
    assert plan.positions == {"db-consumer-images": {0: 95, 1: 5}}


def test_a_new_log_is_read_from_its_beginning_and_what_is_lost_is_named() -> None:
    plan = plan_groups(manifest(), {"images": Topic(id="two", begin=[0, 0], end=[3, 3])}, GROUPS)
    [said] = plan.losses
    assert "id two" in said
    assert "one" in said
    assert said.endswith("0: 90-99, 1: 5-99")
    assert plan.positions == {"db-consumer-images": {0: 0, 1: 0}}


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"images": Topic(id="one", begin=[0], end=[100])}, "topic images had 2 partitions when the backup was made, it has 1"),
        ({}, "Kafka has no topic images, the backup has it"),
        (
            {"images": Topic(id="one", begin=[0, 0], end=[80, 100])},
            "db-consumer-images had read images/0 up to offset 90, its log now ends at 80",
        ),
    ],
)
def test_another_log_is_refused(now: dict[str, Topic], said: str) -> None:
    assert plan_groups(manifest(), now, GROUPS).refusals == [said]


def test_a_changed_manifest_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest())
    assert read_manifest(tmp_path) == manifest()
    file = tmp_path / MANIFEST
    file.write_text(file.read_text().replace(" 90,", " 91,"))
    with pytest.raises(QuartetError, match="damaged"):
        read_manifest(tmp_path)


def shelf(folder: Path, names: str, drilled: str = "") -> Shelf:
    for name in names:
        (folder / f"{name}T0Z").mkdir()
        (folder / f"{name}T0Z" / MANIFEST).write_text("{}")
    found = Shelf(folder)
    for name in drilled:
        found.record_drill(f"{name}T0Z", {})
    return found


@pytest.mark.parametrize(
    ("drilled", "left"),
    [("", "12345"), ("1", "12345"), ("2", "2345"), ("3", "345"), ("5", "45"), ("345", "45")],
)
def test_a_backup_is_removed_only_after_a_newer_one_passed_a_drill(tmp_path: Path, drilled: str, left: str) -> None:
    found = shelf(tmp_path, "12345", drilled)
    found.prune(2)
    assert sorted(found.names()) == [f"{name}T0Z" for name in left]


def test_a_folder_without_a_manifest_is_no_backup_and_goes_with_the_next_one(tmp_path: Path) -> None:
    found = shelf(tmp_path, "1")
    (tmp_path / "2T0Z").mkdir()
    assert found.names() == ["1T0Z"]
    with pytest.raises(QuartetError, match="there are 1T0Z"):
        found.find("2T0Z")
    found.create("3T0Z")
    assert not (tmp_path / "2T0Z").exists()
    assert found.names() == ["1T0Z"]
