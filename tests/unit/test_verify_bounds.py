"""Verify finds a fault of each rule, and its memory does not grow with the images; `make bench BENCH=verify` does the same with a million."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from quartet.audit import export

from benchmarks.synthetic_servers import SyntheticServers
from benchmarks.verify import verify


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    few, many = (verify(images, tmp_path, "96MiB") for images in (10_000, 40_000))
    assert list(many["states"].values()) == ["broken"] * 5 + ["pending"] + ["broken"] * 2, many["findings"]
    assert len(many["findings"]["1"]) == 2
    # the rows of 30,000 images as Python objects are 90 MiB
    assert many["memory_mib"] - few["memory_mib"] < 60
    assert [file.name for file in tmp_path.iterdir()] == ["ledgers.json"], "the evidence is removed"


def test_the_evidence_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    servers = SyntheticServers(300)
    servers.write_ledgers(tmp_path / "ledgers.json")
    monkeypatch.setattr(export, "Auditor", lambda options: servers)
    monkeypatch.setattr("quartet.runtime.settings.load", lambda kind, file: None)
    options: dict[str, Any] = {"config": "-", "ledgers": tmp_path / "ledgers.json", "work": None, "output": tmp_path / "out"}
    assert export.run(Namespace(**options)) == 0
    assert "dead_letters" in capsys.readouterr().out
    lost = f"SELECT id FROM '{tmp_path}/out/images.parquet' ANTI JOIN '{tmp_path}/out/stored_images.parquet' USING (id)"
    assert duckdb.sql(lost).fetchall() == [("102-bench-000000000002",)]
