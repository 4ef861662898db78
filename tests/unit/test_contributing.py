"""CONTRIBUTING names only existing files, and its file counts are correct."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
HOW_TO = dict(re.findall(r"^### (.*?)\n(.*?)(?=^##)", TEXT, re.MULTILINE | re.DOTALL))


def files(text: str) -> set[str]:
    """Return the paths that a text names; `<role>` stands for any name."""
    return {path for path in re.findall(r"`([\w.<>-]+(?:/[\w.<>-]+)+|\w+\.md|Vagrantfile)`", text) if "<name>" not in path}


def test_every_file_is_there() -> None:
    named = files(TEXT)
    assert len(named) > 50
    assert [path for path in named if not list(ROOT.glob(re.sub("<.*?>", "*", path)))] == []


@pytest.mark.parametrize(
    ("beginning", "counted"),
    [
        ("A header", lambda text: files(text.partition("Tests:")[0]) - {"vm_apps/src/quartet/contracts/header_fields.py"}),
        ("A topic", lambda text: files(text.partition("If other apps")[0])),
        ("Another operating system", lambda text: files(text.partition("3. The 19")[0])),
    ],
)
def test_the_counts_are_right(beginning, counted) -> None:  # type: ignore[no-untyped-def]
    (heading,) = [heading for heading in HOW_TO if heading.startswith(beginning)]
    (number,) = re.findall(r": (\d+) files", heading)
    assert len(counted(HOW_TO[heading])) == int(number), sorted(counted(HOW_TO[heading]))
