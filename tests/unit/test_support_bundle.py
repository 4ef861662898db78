"""A bundle has what was collected, and is not written where a secret shows in it, however it is encoded."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import tarfile
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECRET = "pa/ss+wörd?42&x=\"1'"
KEY = "MC4CAQAwBQYDK2VwBCIEIGl0IGlzIGEgdGVzdCBrZXkgb2YgdGhpcyB0ZXN0IQ=="


def archive(file: Path, content: bytes) -> None:
    with tarfile.open(file, "w:gz") as tar:
        member = tarfile.TarInfo("vm1/units/journal")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))


def bundle(folder: Path, content: bytes) -> subprocess.CompletedProcess[str]:
    """Bundle what one VM has collected."""
    (folder / "vms").mkdir()
    (folder / "secrets").mkdir()
    (folder / "secrets/ca.key").write_text(f"-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n")
    archive(folder / "vms/vm1.tar.gz", content)
    order = json.dumps({"secrets": {"kafka_password": SECRET}, "folder": str(folder / "secrets")})
    return subprocess.run(
        [sys.executable, str(ROOT / "playbooks/files/support_bundle.py"), str(folder / "vms"), str(folder / "out/bundle.tar.gz")],
        input=order,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_was_collected_is_in_the_bundle(tmp_path: Path) -> None:
    result = bundle(tmp_path, b"paused: mongodb: no answer")
    assert result.returncode == 0, result.stderr
    with tarfile.open(tmp_path / "out/bundle.tar.gz") as tar:
        assert tar.getnames() == ["vm1/units/journal"]
    assert (tmp_path / "out/bundle.tar.gz").stat().st_mode & 0o077 == 0
    assert not (tmp_path / "vms").exists()


@pytest.mark.parametrize(
    "encode",
    [
        str.encode,
        lambda text: base64.b64encode(text.encode()),
        lambda text: base64.b64encode(b"u" + text.encode() + b"tail"),
        lambda text: base64.b64encode(b"us" + text.encode() + b"tai"),
        lambda text: base64.urlsafe_b64encode(text.encode() + b"t"),
        lambda text: urllib.parse.quote(text, safe="").encode(),
        lambda text: text.encode().hex().encode(),
        lambda text: json.dumps({"password": text}).encode(),
    ],
    ids=["plain", "base64", "base64 after a byte", "base64 after two bytes", "base64 for URLs", "URL", "hex", "JSON"],
)
def test_a_secret_in_any_encoding_stops_it(tmp_path: Path, encode: Callable[[str], bytes]) -> None:
    result = bundle(tmp_path, b"begin " + encode(SECRET) + b" end")
    assert result.returncode == 1
    assert "vm1/units/journal has kafka_password" in result.stderr
    assert SECRET not in result.stderr
    assert not list((tmp_path / "out").iterdir())


def test_a_private_key_stops_it(tmp_path: Path) -> None:
    result = bundle(tmp_path, f"-----BEGIN PRIVATE KEY-----\n{KEY}\n".encode())
    assert result.returncode == 1
    assert "vm1/units/journal has ca.key" in result.stderr


def test_the_collector_says_what_it_could_not_collect(tmp_path: Path) -> None:
    file = tmp_path / "vm.tar.gz"
    collect = [sys.executable, str(ROOT / "playbooks/files/support_collect.py"), str(file), "quartet-none.service"]
    subprocess.run(collect, check=True, env={"PATH": "/usr/bin:/bin"}, timeout=120)
    with tarfile.open(file) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames()}
        member = tar.extractfile(next(name for name in tar.getnames() if name.endswith("/manifest.json")))
        assert member
        items = {row["name"]: row for row in json.load(member)["items"]}
    assert names - {"manifest.json"} == items.keys()
    assert items["system/release"]["bytes"] > 0
    # its table is not there, or nft is not
    assert items["system/firewall"]["problem"]
