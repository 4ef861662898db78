"""make wait: a line that says how far the consumers are, and at the end what is missing and what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from role_modules import load_file

ROOT = Path(__file__).resolve().parents[2]
PROGRESS = load_file(ROOT / "playbooks/action_plugins/progress.py", "progress_action")
# Prints the next of the answers at each call, the last one for ever.
READER = """import json, pathlib, sys
answers, count = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[1] + ".count")
n = int(count.read_text()) if count.exists() else 0
count.write_text(str(n + 1))
answer = answers[min(n, len(answers) - 1)]
sys.exit(answer) if isinstance(answer, int) else print(json.dumps(answer))
"""


def answer(sent: int, **unread: int) -> dict[str, Any]:
    return {"records": {"images": sent, "inferences": sent}, "unread": {"images": 0, "inference": 0, "inferences": 0, "stream": 0} | unread}


def test_a_line_counts_from_the_slowest_reader() -> None:
    progress = PROGRESS.Progress()
    assert progress.see(answer(12_000, images=500, inference=2_000), 0) == "stored 1,500, classified 0, counted 0 of 2,000 sent; 0 images/s"
    assert (
        progress.see(answer(12_000, inference=1_000, stream=100), 10)
        == "stored 2,000, classified 1,000, counted 900 of 2,000 sent; 90 images/s, 12 s left"
    )
    assert progress.see(answer(12_000), 20) == "stored 2,000, classified 2,000, counted 2,000 of 2,000 sent; drained"
    assert progress.left == {}


def test_the_rate_is_that_of_the_last_minute() -> None:
    progress = PROGRESS.Progress()
    for second in range(0, 200, 5):
        progress.see(answer(1_000_000, inference=100_000 - 10 * second), second)
    for second in range(200, 400, 5):
        line = progress.see(answer(1_000_000, inference=98_000), second)
    assert "; 0 images/s" in line


def test_what_is_missing_and_what_to_do() -> None:
    progress = PROGRESS.Progress()
    assert "make health" in progress.missing()
    progress.see(answer(100, inference=60), 0)
    progress.see(answer(100, inference=30), 10)
    assert (
        progress.missing()
        == "30 to classify. They go on at 3 images/s, which takes another 10 s: make wait again, with MINUTES=60 for an hour."
    )
    still = PROGRESS.Progress()
    for second in (0, 100):
        still.see(answer(100, inference=60, stream=5), second)
    assert still.missing().startswith(
        "60 to classify, 5 inferences to count by the stream, and nothing moves. quartet-inference is the first"
    )


def test_producers_that_still_send_are_shown() -> None:
    shown = "Id=quartet-producer@101.service\nActiveState=active\nStatusText=run a: 4 of 9\n\nId=quartet-producer@102.service\nActiveState=inactive\n"
    assert PROGRESS.producer_line(PROGRESS.producer_states(shown)) == "producer 101: run a: 4 of 9"


@pytest.mark.parametrize(
    ("answers", "minutes", "status", "words"),
    [
        ([answer(9, stream=9), 69, answer(9)], 1.0, 0, ["counted 0 of 9 sent", "not known:", "counted 9 of 9 sent; drained"]),
        (
            [answer(9, stream=9)],
            0.0,
            2,
            ["Not drained in time: 9 inferences to count by the stream, and nothing moves. quartet-spark-stream"],
        ),
        ([2], 1.0, 2, ["make deploy"]),
    ],
)
def test_the_playbook_waits_and_says_so(tmp_path: Path, answers: list[Any], minutes: float, status: int, words: list[str]) -> None:
    (tmp_path / "reader.py").write_text(READER)
    (tmp_path / "answers").write_text(json.dumps(answers))
    reader = json.dumps(["python3", str(tmp_path / "reader.py"), str(tmp_path / "answers")])
    (tmp_path / "play.yml").write_text(
        "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
        f"    - name: Wait\n      progress: {{reader: {reader}, deadline: '{time.time() + minutes * 60}'}}\n"
    )
    result = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(tmp_path / "play.yml"), "-e",
         "ansible_python_interpreter=/usr/bin/python3"],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "ANSIBLE_ACTION_PLUGINS": str(ROOT / "playbooks/action_plugins"), "ANSIBLE_NOCOLOR": "1"},
    )  # fmt: skip
    output = " ".join((result.stdout + result.stderr).split())
    assert result.returncode == status, output
    assert [word for word in words if word not in output] == []
    assert "FAILED - RETRYING" not in output
