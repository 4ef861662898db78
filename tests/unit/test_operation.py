"""One operation an inventory: a second one is refused while the first is at work, an interrupted one is recorded and may be run again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "playbooks/files/operation.py"
# Stands for an ansible-playbook: a process of that name that runs the script for each line that it reads.
PLAYBOOK = """
import json, subprocess, sys
for line in sys.stdin:
    result = subprocess.run(json.loads(line), capture_output=True, text=True)
    print(json.dumps([result.returncode, result.stdout + result.stderr]), flush=True)
"""


class Playbook:
    """A process that is named ansible-playbook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".operations"
        self.process = subprocess.Popen(
            [sys.executable, "-c", PLAYBOOK, "ansible-playbook"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, action: str, text: str) -> tuple[int, str]:
        """Run the script as a task of this playbook; return its exit status and what it said."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([sys.executable, str(SCRIPT), action, str(self.folder), text]) + "\n")
        self.process.stdin.flush()
        status, said = json.loads(self.process.stdout.readline())
        return status, said.rstrip("\n")

    def begin(self, verb: str) -> str:
        """Begin an operation and return its id."""
        status, said = self.run("begin", verb)
        assert status == 0, said
        return said

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()

    def records(self) -> list[dict[str, str]]:
        return [json.loads(file.read_text()) for file in sorted(self.folder.glob("*-*.json"))]


@pytest.fixture
def playbooks(tmp_path: Path) -> Iterator[list[Playbook]]:
    found = [Playbook(tmp_path), Playbook(tmp_path)]
    yield found
    for playbook in found:
        playbook.stop()


def test_a_second_operation_is_refused_and_the_first_named(playbooks: list[Playbook]) -> None:
    first, second = playbooks
    first.begin("backup")
    status, said = second.run("begin", "restore")
    assert status == 1
    assert "backup is at work on this inventory since" in said
    assert first.run("end", "3 documents") == (0, "backup")
    assert [(r["verb"], r["result"], r["summary"]) for r in first.records()] == [("backup", "done", "3 documents")]
    second.begin("restore")


def test_an_interrupted_operation_is_recorded_and_holds_nobody_up(playbooks: list[Playbook]) -> None:
    first, second = playbooks
    interrupted = first.begin("restore")
    first.stop()
    assert second.begin("restore") == interrupted, "what it did already would be done again"
    assert [(r["verb"], r["result"]) for r in second.records()] == [("restore", "interrupted")]


def test_an_interrupted_operation_is_not_continued_by_another_verb(playbooks: list[Playbook]) -> None:
    first, second = playbooks
    interrupted = first.begin("restore")
    first.stop()
    assert second.begin("backup").startswith("backup-")
    assert interrupted.startswith("restore-")
