"""The retention of records is a single value: the broker's, which the topics inherit and the preflight sizes the disk by."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from computed import ROOT, computed

PLAY = """
- hosts: localhost
  gather_facts: false
  vars: {kafka_config: {SETTING: "1"}}
  tasks:
    - ansible.builtin.include_vars: ROOT/roles/kafka/vars/main.yml
    - ansible.builtin.include_tasks: ROOT/roles/kafka/tasks/preflight.yml
"""


def test_no_topic_has_a_retention_of_its_own() -> None:
    for topics in computed("lab", "kafka_topics").values():
        assert len(topics) == 3
        assert not [topic["name"] for topic in topics if any("retention" in setting for setting in topic["config"])]


def test_the_brokers_retention_is_the_one_that_the_disk_is_sized_by(tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    play.write_text(PLAY.replace("ROOT", str(ROOT)).replace("SETTING", "log.retention.ms"))
    result = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(play)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode != 0
    assert "kafka_config has log.retention.ms. Set kafka_retention_hours instead" in " ".join(result.stdout.split())
