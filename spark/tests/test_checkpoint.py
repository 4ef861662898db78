"""What the checkpoint folder says."""

from __future__ import annotations

from pathlib import Path

import pytest
from quartet_spark import checkpoint


def write(folder: Path, *lines: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("\n".join(lines))


def test_an_empty_folder_is_not_begun(tmp_path: Path) -> None:
    assert not checkpoint.is_begun(str(tmp_path))
    assert checkpoint.last_committed(str(tmp_path)) is None


def test_a_planned_batch_is_begun_and_not_committed(tmp_path: Path) -> None:
    write(tmp_path / "offsets/0", "v1", "{}", '{"inferences": {"10": 7, "2": 5}}')
    assert checkpoint.is_begun(str(tmp_path))
    assert checkpoint.last_committed(str(tmp_path)) is None
    assert list(checkpoint.end_offsets(str(tmp_path), 0, "inferences").items()) == [("2", 5), ("10", 7)]


def test_the_last_commit_is_the_highest_number(tmp_path: Path) -> None:
    for number in (2, 9, 10):
        write(tmp_path / f"commits/{number}", "v1", "{}")
    write(tmp_path / "commits/.11.tmp", "v1", "{}")
    assert checkpoint.last_committed(str(tmp_path)) == 10


@pytest.mark.parametrize(("version", "topic"), [("v2", "inferences"), ("v1", "labels")])
def test_another_version_or_topic_is_refused(tmp_path: Path, version: str, topic: str) -> None:
    write(tmp_path / "offsets/0", version, "{}", '{"inferences": {"0": 1}}')
    with pytest.raises(checkpoint.CheckpointError):
        checkpoint.end_offsets(str(tmp_path), 0, topic)
