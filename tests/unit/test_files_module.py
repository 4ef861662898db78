"""The module `files`, on a real folder."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from role_modules import call, load_module

OWN = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}


@pytest.fixture
def files(capsys: pytest.CaptureFixture[str]) -> Any:
    def make(*rows: dict[str, str], check: bool = False) -> dict[str, Any]:
        return call(load_module("files"), capsys, {"rows": [{**OWN, **row} for row in rows]}, check=check)

    return make


def rows_of(folder: Path) -> list[dict[str, str]]:
    return [
        {"path": f"{folder}/a/b", "state": "directory", "mode": "0700"},
        {"path": f"{folder}/a/b/file", "content": "new\n", "mode": "0640"},
        {"path": f"{folder}/current", "state": "link", "src": "a/b"},
    ]


def test_makes_what_is_missing_and_then_nothing(files: Any, tmp_path: Path) -> None:
    rows = rows_of(tmp_path)
    result = files(*rows)
    assert result["paths"] == [row["path"] for row in rows]
    assert (tmp_path / "current/file").read_text() == "new\n"
    assert [(tmp_path / "a" / name).stat().st_mode & 0o777 for name in ("b", "b/file")] == [0o700, 0o640]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "current", "file"], "a temporary file was left"
    again = files(*rows)
    assert (again["changed"], again["paths"]) == (False, [])


def test_folders_above_are_readable_whatever_the_umask_is(files: Any, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        files({"path": f"{tmp_path}/a/b/c", "state": "directory"})
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/c")] == [0o755] * 3


def test_check_mode_says_it_and_changes_nothing(files: Any, tmp_path: Path) -> None:
    rows = [{**row, "owner": "nobody-yet"} for row in rows_of(tmp_path)]
    result = files(*rows, check=True)
    assert (result["changed"], result["paths"]) == (True, [row["path"] for row in rows])
    assert not list(tmp_path.iterdir())


def test_changes_what_differs_and_shows_it(files: Any, tmp_path: Path) -> None:
    files(*rows_of(tmp_path))
    file, folder, link = rows_of(tmp_path)[1], rows_of(tmp_path)[0], rows_of(tmp_path)[2]
    assert files({**file, "content": "newer\n"})["diff"] == [
        {"before_header": file["path"], "after_header": file["path"], "before": "new\n", "after": "newer\n"}
    ]
    assert files({**file, "content": "newer\n", "mode": "0600"})["changed"]
    assert Path(file["path"]).stat().st_mode & 0o777 == 0o600
    assert files({**folder, "mode": "0750"})["paths"] == [folder["path"]]
    assert files({**link, "src": "a"})["changed"]
    assert (tmp_path / "current").readlink() == Path("a")


def test_content_that_the_command_refuses_is_not_put_there(files: Any, tmp_path: Path) -> None:
    file = {"path": f"{tmp_path}/file", "content": "good\n", "validate": "grep -q good %s"}
    assert files(file)["changed"]
    refused = files({**file, "content": "bad\n"})
    assert refused["failed"] and "grep -q good" in refused["msg"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "good\n"


def test_a_link_is_replaced_and_not_followed(files: Any, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("theirs\n")
    (tmp_path / "file").symlink_to("target")
    assert files({"path": f"{tmp_path}/file", "content": "theirs\n"})["changed"]
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "target").read_text() == "theirs\n"


def test_what_is_in_the_way_is_named(files: Any, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    path = f"{tmp_path}/folder"
    assert path in files({"path": path, "content": ""})["msg"]
    assert path in files({"path": path, "state": "link", "src": "x"})["msg"]
    assert f"{path}/none/file" in files({"path": f"{path}/none/file", "content": ""})["msg"]
