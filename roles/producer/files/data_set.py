"""Brings a data set from the controller to a VM as one archive, so that what is there is what is at the source, and no more.

On the controller:  data_set.py digest SOURCE NAMES          print what the source holds, as a digest
                    data_set.py pack SOURCE NAMES FOLDER     put an archive of it into a folder, and print its path
On the VM:          data_set.py check FOLDER                 print the digest of what was unpacked; nothing where it is not whole
                    data_set.py unpack ARCHIVE FOLDER DIGEST
                    data_set.py prune PARENT KEEP [--check]  remove what else is in the parent, and print it

SOURCE is a folder, of which the files count whose names match the regular expression NAMES, in it or in its folders; or it is one
file. Names that begin with a dot do not count. Needs nothing but Python.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_DIGITS: Final = 16


def entries(source: Path, names: str = "") -> list[tuple[str, Path]]:
    """Return the files and folders that make up a data set, with their names in it, in a fixed order.

    A folder is one even if it is empty: the producer refuses a class that it does not know. Links count as what they lead to.
    """
    if source.is_file():
        return [(source.name, source)]
    if not source.is_dir():
        sys.exit(f"{source} is neither a folder nor a file")
    found = [(file.name, file) for file in _files(source, names)]
    for folder in _visible(source):
        if folder.is_dir():
            found.append((folder.name, folder))
            found += [(f"{folder.name}/{file.name}", file) for file in _files(folder, names)]
    return sorted(found, key=lambda entry: os.fsencode(entry[0]))


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def _files(folder: Path, names: str) -> Iterator[Path]:
    for path in _visible(folder):
        if path.is_dir() or not re.match(names, path.name):
            continue
        if not path.is_file():
            sys.exit(f"{path} is not a file: does a link lead nowhere?")
        yield path


def digest(contents: Iterable[tuple[str, Path]]) -> str:
    """Return a digest of names and contents."""
    total = hashlib.sha256()
    for name, path in contents:
        content = "folder"
        if not path.is_dir():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(os.fsencode(name) + f"\0{content}\n".encode())
    return total.hexdigest()[:_DIGITS]


def pack(contents: Iterable[tuple[str, Path]], folder: Path) -> Path:
    """Write an archive, the same for the same contents: no times, no owners."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix="data-set-", suffix=".tar", dir=folder)
    # not compressed, since images are
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w", dereference=True) as archive:
        for member, path in contents:
            archive.add(path, member, recursive=False, filter=_plain)
    return Path(name)


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    plain = tarfile.TarInfo(info.name)
    plain.type, plain.mode = (tarfile.DIRTYPE, 0o755) if info.isdir() else (tarfile.REGTYPE, 0o644)
    plain.size = info.size
    return plain


def check(folder: Path) -> str:
    """Return the digest of a folder that `unpack` left; nothing where it is not there, or owner, modes or kinds were changed."""
    if not folder.is_dir():
        return ""
    for path in (folder, *folder.rglob("*")):
        state = path.lstat()
        # without set-group-ID, which folders inherit
        if state.st_mode & ~stat.S_ISGID not in (stat.S_IFDIR | 0o755, stat.S_IFREG | 0o644) or state.st_uid != os.geteuid():
            return ""
    return digest(entries(folder))


def unpack(archive: Path, folder: Path, wanted: str) -> None:
    """Unpack beside the folder, see that it is all there, then put it in the folder's place. The archive is used up."""
    new, old = (folder.with_name(f".{folder.name}.{state}") for state in ("new", "old"))
    # for every user to read, and for this one alone to write
    os.umask(0o022)
    try:
        _remove(new, old)
        _extract(archive, new)
        if check(new) != wanted:
            sys.exit(f"{archive} does not hold the data set {wanted}; run it again if the source was changed meanwhile")
        # else a power loss might leave the folder in its place and the files in it empty
        os.sync()
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        archive.unlink()
        _remove(new, old)


def _extract(archive: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    with tarfile.open(archive) as packed:
        for member in packed:
            target = folder / member.name
            if ".." in target.parts or not target.is_relative_to(folder):
                sys.exit(f"{archive}: {member.name} leads out of it")
            content = packed.extractfile(member) if member.isreg() else None
            if content is None:
                target.mkdir()
            else:
                with target.open("xb") as file:
                    shutil.copyfileobj(content, file)


def _remove(*paths: Path) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def prune(parent: Path, keep: str, *, dry: bool) -> list[str]:
    """Remove what is in a folder beside one name; return what was removed, or would be."""
    others = sorted(path.name for path in parent.iterdir() if path.name != keep) if parent.is_dir() else []
    if not dry:
        if not (parent / keep).exists():
            sys.exit(f"{parent / keep} is not there, so nothing beside it is removed")
        _remove(*(parent / name for name in others))
    return others


def main() -> None:
    """Run one of the commands."""
    command, first, *words = sys.argv[1:]
    path = Path(first)
    if command == "digest":
        contents = entries(path, words[0])
        if not any(file.is_file() for _, file in contents):
            sys.exit(f"{path} holds no file whose name matches {words[0]}")
        print(digest(contents))
    elif command == "pack":
        print(pack(entries(path, words[0]), Path(words[1])))
    elif command == "check":
        print(check(path))
    elif command == "unpack":
        unpack(path, Path(words[0]), words[1])
    elif command == "prune":
        print("\n".join(prune(path, words[0], dry="--check" in words)))


if __name__ == "__main__":
    try:
        main()
    except OSError as failure:
        sys.exit(f"{failure.filename}: {failure.strerror}" if failure.filename else str(failure))
