"""Puts the VMs' archives, the records of operations and the log of site.yml into one bundle, unless a secret is in it.

support_bundle.py FOLDER BUNDLE [FILE...]   FOLDER: the VMs' archives, removed at the end. FILE: more files of the controller
Standard input: {"secrets": {"name": "value"}, "folder": "the folder of the secrets, for its private keys"}.

A secret is looked for as it is, in base64 at each of the three alignments, URL-encoded, in hexadecimal and as JSON writes it. Where one is found,
nothing is written: the file that has it and the secret's name are said, and the exit status is 1.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import sys
import tarfile
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path

#: What is shorter is found in any text by chance
SHORTEST = 8


def forms(value: bytes) -> set[bytes]:
    """Return the byte strings by which a secret would show."""
    text = value.decode(errors="replace")
    found = {
        value,
        value.hex().encode(),
        value.hex().upper().encode(),
        urllib.parse.quote(text, safe="").encode(),
        json.dumps(text)[1:-1].encode(),
    }
    for shift in range(3):
        # the characters at both ends depend on the neighbours too
        encoded = base64.b64encode(bytes(shift) + value)
        begin = {0: 0, 1: 2, 2: 3}[shift]
        whole = encoded[begin : len(encoded) - (4 if (shift + len(value)) % 3 else 0)]
        found |= {whole, whole.translate(bytes.maketrans(b"+/", b"-_"))}
    return {form for form in found if len(form) >= SHORTEST}


def lines_of_keys(folder: Path) -> dict[str, bytes]:
    """Return a line of each private key of the folder of secrets: a key would be copied whole."""
    keys = {}
    for path in sorted(folder.rglob("*.key")):
        lines = [line for line in path.read_bytes().splitlines() if line and not line.startswith(b"-----")]
        if lines:
            keys[path.name] = lines[len(lines) // 2]
    return keys


def leaks(content: bytes, secrets: Mapping[str, set[bytes]]) -> Iterator[str]:
    """Yield the name of each secret that shows in a file."""
    for name, texts in secrets.items():
        if any(text in content for text in texts):
            yield name


def files(folder: Path, more: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file of the bundle."""
    for archive in sorted(folder.glob("*.tar.gz")):
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                content = tar.extractfile(member)
                if content is not None:
                    yield member.name, content.read()
    for path in more:
        for file in [path] if path.is_file() else sorted(path.glob("*.json")) if path.is_dir() else []:
            yield f"controller/{file.name}", file.read_bytes()


def main() -> None:
    """Write the bundle, or say which secret is where."""
    folder, bundle, more = Path(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]]
    order = json.load(sys.stdin)
    values = {name: value.encode() for name, value in order["secrets"].items()} | lines_of_keys(Path(order["folder"]))
    secrets = {name: forms(value) for name, value in values.items() if len(value) >= SHORTEST}
    bundle.parent.mkdir(parents=True, exist_ok=True)
    unfinished = bundle.with_suffix(".unfinished")
    found, size = [], 0
    try:
        with tarfile.open(unfinished, "w:gz") as tar:
            unfinished.chmod(0o600)
            for name, content in files(folder, more):
                found += [f"{name} has {secret}" for secret in leaks(content, secrets)]
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(content), 0o600
                tar.addfile(member, io.BytesIO(content))
                size += len(content)
        if found:
            sys.exit(
                f"no bundle is written, since it would show secrets: {'; '.join(found)}. Remove the line there (or change the secret), and try again."
            )
        unfinished.rename(bundle)
    finally:
        unfinished.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{bundle}: {bundle.stat().st_size // 1024} KiB, {size // 1024} KiB unpacked; no secret of this inventory shows in it. Look into it before you send it."
    )


if __name__ == "__main__":
    main()
