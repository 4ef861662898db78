"""The data set of the role producer: what is on the VM is what is at the source, in one step, and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from quartet.datasets import image_file
from role_modules import load_file

ROOT = Path(__file__).resolve().parents[2]
data_set = load_file(ROOT / "roles/producer/files/data_set.py", "data_set")
NAMES = yaml.safe_load((ROOT / "roles/producer/vars/main.yml").read_text())["_producer_dataset_files"]
IMAGES = NAMES["folder"]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def read(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """A strict one, as some administrators set; the script sets its own."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "source", {"cat/1.png": "one", "cat/2.JPG": "two", "dog/3.jpeg": "three"})


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """The folder of data sets on the VM."""
    return tmp_path / "vm"


def deploy(source: Path, parent: Path, names: str = IMAGES) -> Path:
    """Do what the tasks of the role do; return where the data set is."""
    digest = data_set.digest(data_set.entries(source, names))
    folder = parent / f"folder-{digest}"
    if data_set.check(folder) != digest:
        data_set.unpack(data_set.pack(data_set.entries(source, names), parent.with_name("cache")), folder, digest)
    data_set.prune(parent, folder.name, dry=False)
    assert [path.name for path in parent.iterdir()] == [folder.name], "something was left beside it"
    return folder


def test_what_is_on_the_vm_is_what_is_at_the_source(source: Path, parent: Path) -> None:
    first = deploy(source, parent)
    assert read(first) == {"cat/1.png": "one", "cat/2.JPG": "two", "dog/3.jpeg": "three"}
    (source / "cat/1.png").unlink()
    (source / "dog/3.jpeg").write_text("another")
    write(source, {"dog/4.png": "four"})
    assert read(deploy(source, parent)) == {"cat/2.JPG": "two", "dog/3.jpeg": "another", "dog/4.png": "four"}
    assert not first.exists()


def test_what_an_earlier_release_left_goes(source: Path, parent: Path) -> None:
    write(parent, {"folder/cat/9.png": "old", "cifar10/test_batch.bin": "old"})
    deploy(source, parent)


def test_a_second_time_nothing_is_written(source: Path, parent: Path) -> None:
    before = deploy(source, parent).stat()
    os.utime(source / "cat/1.png", (1, 1))
    after = deploy(source, parent).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "cat/1.png").unlink(),
        lambda folder: (folder / "cat/1.png").write_text("changed"),
        lambda folder: (folder / "cat/1.png").write_text(""),
        lambda folder: (folder / "cat/1.png").chmod(0o600),
        lambda folder: (folder / "cat/5.png").write_text("added"),
        lambda folder: (folder / "dog").chmod(0o700),
        lambda folder: [path.unlink() for path in folder.rglob("*") if path.is_file()],
        lambda folder: (folder / "link.png").symlink_to("cat/1.png"),
    ],
    ids=["removed", "changed", "empty", "mode", "added", "mode of a folder", "all removed", "link"],
)
def test_what_was_changed_on_the_vm_is_put_right(source: Path, parent: Path, damage: object) -> None:
    folder = deploy(source, parent)
    damage(folder)  # type: ignore[operator]
    assert data_set.check(folder) != data_set.digest(data_set.entries(source, IMAGES))
    assert read(deploy(source, parent)) == read(source)


def test_everybody_may_read_it_and_the_owner_alone_write(source: Path, parent: Path) -> None:
    (source / "cat/1.png").chmod(0o600)
    folder = deploy(source, parent)
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*.*")} == {0o644}
    assert {path.stat().st_mode & 0o777 for path in (folder, folder / "cat")} == {0o755}


def test_only_images_travel_and_hidden_files_do_not(source: Path, parent: Path) -> None:
    more = {"cat/._1.png": "macOS", ".git/config": "x", ".trash/7.png": "x", "cat/notes.txt": "x", "cat/old/6.png": "x", "Thumbs.db": "x"}
    before = data_set.digest(data_set.entries(source, IMAGES))
    write(source, more)
    assert data_set.digest(data_set.entries(source, IMAGES)) == before
    assert set(read(deploy(source, parent))) == {"cat/1.png", "cat/2.JPG", "dog/3.jpeg"}


def test_an_unknown_class_reaches_the_producer_which_refuses_it(source: Path, parent: Path) -> None:
    (source / "zebra").mkdir()
    assert (deploy(source, parent) / "zebra").is_dir()


def test_links_at_the_source_are_followed(source: Path, parent: Path) -> None:
    (source / "frog").symlink_to(source / "cat")
    (source / "dog/5.png").symlink_to(source / "cat/1.png")
    folder = deploy(source, parent)
    assert (read(folder)["frog/1.png"], read(folder)["dog/5.png"]) == ("one", "one")
    assert not (folder / "frog").is_symlink()


def test_a_link_that_leads_nowhere_is_named(source: Path) -> None:
    (source / "dog/5.png").symlink_to("nowhere")
    with pytest.raises(SystemExit, match=r"dog/5\.png is not a file"):
        data_set.entries(source, IMAGES)


def test_names_of_any_kind_travel(source: Path, parent: Path) -> None:
    names = {"cat/it's \n ü.png", f"cat/{'long' * 50}.png", f"cat/{os.fsdecode(bytes([255]))}.png"}
    write(source, dict.fromkeys(names, "x"))
    assert set(read(deploy(source, parent))) >= names


def test_an_archive_of_cifar10_travels_as_it_is(tmp_path: Path, parent: Path) -> None:
    write(tmp_path, {"cifar-10-binary.tar.gz": "an archive"})
    assert read(deploy(tmp_path / "cifar-10-binary.tar.gz", parent, NAMES["cifar10"])) == {"cifar-10-binary.tar.gz": "an archive"}


def test_of_cifar10_only_the_batches_travel(tmp_path: Path, parent: Path) -> None:
    binary, rest = "cifar-10-batches-bin/test_batch.bin", {"cifar-10-batches-py/test_batch": "pickle", "cifar-10-binary.tar.gz": "x"}
    assert read(deploy(write(tmp_path / "x", {binary: "batch", **rest}), parent, NAMES["cifar10"])) == {binary: "batch"}


def test_the_same_files_make_the_same_archive(source: Path, tmp_path: Path) -> None:
    first = data_set.pack(data_set.entries(source, IMAGES), tmp_path / "cache").read_bytes()
    os.utime(source / "cat/1.png", (1, 1))
    (source / "cat/1.png").chmod(0o600)
    assert data_set.pack(data_set.entries(source, IMAGES), tmp_path / "cache").read_bytes() == first


def test_a_source_that_changes_meanwhile_is_not_taken(source: Path, parent: Path, tmp_path: Path) -> None:
    """Nor is an archive that came in pieces: what runs stays as it is."""
    folder = deploy(source, parent)
    (source / "cat/1.png").write_text("changed")
    archive = data_set.pack(data_set.entries(source, IMAGES), tmp_path / "cache")
    with pytest.raises(SystemExit, match="does not hold the data set"):
        data_set.unpack(archive, folder, folder.name.removeprefix("folder-"))
    assert read(folder)["cat/1.png"] == "one"
    assert [path.name for path in parent.iterdir()] == [folder.name]
    assert not archive.exists()


def test_an_interrupted_unpacking_is_begun_again(source: Path, parent: Path) -> None:
    digest = data_set.digest(data_set.entries(source, IMAGES))
    write(parent / f".folder-{digest}.new", {"cat/half.png": "x"})
    assert read(deploy(source, parent)) == read(source)


@pytest.mark.parametrize("name", ["../outside.png", "/tmp/outside-of-the-data-set.png"])
def test_nothing_is_written_outside(tmp_path: Path, parent: Path, name: str) -> None:
    write(tmp_path, {"1.png": "x"})
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        archive.add(tmp_path / "1.png", "x")
        info = archive.getmember("x")
        info.name = name
        with (tmp_path / "1.png").open("rb") as file:
            archive.addfile(info, file)
    with pytest.raises(SystemExit, match="leads out of it"):
        data_set.unpack(tmp_path / "bad.tar", parent / "folder", "x")
    assert not (parent / "outside.png").exists() and not Path("/tmp/outside-of-the-data-set.png").exists()


def test_nothing_is_pruned_where_the_data_set_is_not_there(parent: Path) -> None:
    write(parent, {"folder-1/cat/1.png": "x"})
    with pytest.raises(SystemExit, match="is not there"):
        data_set.prune(parent, "folder-2", dry=False)
    assert data_set.prune(parent, "folder-2", dry=True) == ["folder-1"]
    assert (parent / "folder-1/cat/1.png").exists()


def test_what_travels_is_what_the_producer_reads() -> None:
    suffixes = {*image_file.SUFFIXES, *(suffix.upper() for suffix in image_file.SUFFIXES)}
    assert all(re.match(IMAGES, f"1{suffix}") for suffix in suffixes)
    assert not [name for name in ("1.gif", "1.png.txt", "png") if re.match(IMAGES, name)]


def play(folder: Path, source: Path, *before: str, options: Sequence[str] = ()) -> str:
    """Run the role's own tasks on this machine; return what Ansible prints."""
    variables = {
        "producer_dataset": "folder",
        "producer_dataset_source": str(source),
        "producer_kafka": {},
        "producer_kafka_password": "x",
        "producer_topics": {},
        "quartet_download_cache": str(folder / "cache"),
        "_producer_datasets": str(folder / "vm"),
    }
    role = {"name": "Role", "ansible.builtin.include_role": {"name": "producer", "tasks_from": "{{ item }}"}}
    tasks = [{**role, "loop": [*before, "dataset", "dataset_prune"]}]
    (folder / "play.yml").write_text(json.dumps([{"name": "Play", "hosts": "all", "gather_facts": False, "tasks": tasks}]))
    (folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"vm": {"ansible_connection": "local"}}}}))
    command = [
        Path(sys.executable).parent / "ansible-playbook",
        "-i",
        folder / "hosts.yml",
        folder / "play.yml",
        "-e",
        json.dumps(variables),
    ]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, env=environment).stdout


def changes(output: str) -> int:
    """Return how many tasks changed something, of a run in which none failed."""
    assert "failed=0" in output, output
    (changed,) = re.findall(r"changed=(\d+)", output)
    return int(changed)


def test_the_role_says_what_it_would_do_mirrors_the_source_and_then_changes_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "source", {"cat/1.JPG": "one"})
    write(tmp_path / "vm", {"folder/cat/1.JPG": "one", "folder/cat/2.JPG": "removed since"})
    assert changes(play(tmp_path, source, "preflight", options=["--check"])) == 2
    assert set(read(tmp_path / "vm")) == {"folder/cat/1.JPG", "folder/cat/2.JPG"}
    assert changes(play(tmp_path, source)) > 0
    (folder,) = (tmp_path / "vm").iterdir()
    assert read(folder) == {"cat/1.JPG": "one"}
    assert changes(play(tmp_path, source)) == 0
    assert not list((tmp_path / "cache").iterdir()), "an archive was left on the controller"
