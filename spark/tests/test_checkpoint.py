"""What the checkpoint folder says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from quartet.runtime.errors import ExitCode, QuartetError
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


def refused(call: Callable[[], object], *words: str) -> None:
    """See that a call ends the job for good, with the remedy."""
    with pytest.raises(QuartetError) as error:
        call()
    assert error.value.code is ExitCode.INPUT
    for word in (*words, "quartet_stream_rebuild=true"):
        assert word in str(error.value)


@pytest.mark.parametrize(("version", "topic"), [("v2", "inferences"), ("v1", "labels")])
def test_another_version_or_topic_is_refused(tmp_path: Path, version: str, topic: str) -> None:
    write(tmp_path / "offsets/0", version, "{}", '{"inferences": {"0": 1}}')
    refused(lambda: checkpoint.end_offsets(str(tmp_path), 0, topic), str(tmp_path / "offsets/0"))


@pytest.mark.parametrize(
    "lines",
    [[], ["v1"], ["v1", "{}", '{"inferences": {"0"'], ["v1", "{}", "7"], ["v1", "{}", '{"inferences": {"0": null}}']],
)
def test_a_damaged_file_is_refused(tmp_path: Path, lines: list[str]) -> None:
    write(tmp_path / "offsets/0", *lines)
    refused(lambda: checkpoint.end_offsets(str(tmp_path), 0, "inferences"), str(tmp_path / "offsets/0"))


def test_offsets_that_are_gone_are_refused(tmp_path: Path) -> None:
    refused(lambda: checkpoint.end_offsets(str(tmp_path), 3, "inferences"), str(tmp_path / "offsets/3"), "No such file")


def whole(folder: Path) -> None:
    """Write what Spark 4.2 leaves after three batches; the third is planned, not committed."""
    write(folder / "metadata", '{"id":"4fc16e6f-cf20-4438-9ebe-2e321b521515"}')
    for number in range(3):
        write(folder / f"offsets/{number}", "v1", "{}", '{"inferences": {"0": 1}}')
    for number in range(2):
        write(folder / f"commits/{number}", "v1", '{"nextBatchWatermarkMs":0}')
    # Kafka's source begins its file with a zero byte, for Spark 2.1
    write(folder / "sources/0/0", '\0v1\n{"inferences":{"0":0}}')
    write(folder / "offsets/.3.tmp", "")


def test_what_spark_wrote_is_not_refused(tmp_path: Path) -> None:
    checkpoint.refuse_empty_files(str(tmp_path))
    whole(tmp_path)
    checkpoint.refuse_empty_files(str(tmp_path))


@pytest.mark.parametrize("content", ["", "\0" * 700])
@pytest.mark.parametrize("name", ["offsets/2", "offsets/1", "commits/1", "commits/0", "sources/0/0", "metadata"])
def test_a_file_that_a_power_loss_left_empty_is_named(tmp_path: Path, name: str, content: str) -> None:
    whole(tmp_path)
    write(tmp_path / name, content)
    refused(lambda: checkpoint.refuse_empty_files(str(tmp_path)), f"{tmp_path / name} is empty", "power loss")
