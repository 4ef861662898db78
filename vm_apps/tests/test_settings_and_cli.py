"""Settings errors name the option, passwords come from the credentials directory, exit codes have names."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from quartet import cli
from quartet.runtime import settings
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.settings import ProducerSettings

GOOD: dict[str, Any] = {
    "kafka": {"bootstrap_servers": ["127.0.0.1:1"], "user": "producer", "ca_file": "/nowhere"},
    "topics": {"images": "images", "inferences": "inferences", "dead_letters": "dead-letters"},
    "producer_id": 101,
    "dataset": {"kind": "glyphs", "path": None},
    "metrics_port": 9301,
}


def write(tmp_path: Path, **change: Any) -> Path:
    file = tmp_path / "101.json"
    file.write_text(json.dumps({**GOOD, **change}))
    return file


def test_missing_options_have_defaults(tmp_path: Path) -> None:
    chosen = settings.load(ProducerSettings, write(tmp_path))
    assert (chosen.split, chosen.run, chosen.count, chosen.distortion.kind) == ("test", "first", 0, "none")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ratte": 1}, "ratte: Extra inputs are not permitted"),
        ({"producer_id": 0}, "producer_id: Input should be greater than or equal to 1"),
        ({"run": "First"}, "run: String should match pattern"),
        ({"kafka": {"bootstrap_servers": [], "user": "x", "ca_file": "y"}}, "kafka.bootstrap_servers"),
        ({"distortion": {"kind": "snow", "severity": 1}}, "distortion.kind"),
    ],
)
def test_a_wrong_option_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(QuartetError) as refused:
        settings.load(ProducerSettings, write(tmp_path, **change))
    assert refused.value.code is ExitCode.CONFIGURATION
    assert words in str(refused.value)


def test_a_missing_settings_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuartetError, match=r"cannot read the settings: .*nowhere\.json"):
        settings.load(ProducerSettings, tmp_path / "nowhere.json")


def test_a_password_is_read_from_the_credentials_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kafka-password").write_text("secret\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert settings.password("kafka-password") == "secret"
    with pytest.raises(QuartetError, match="cannot read the credential mongodb-password"):
        settings.password("mongodb-password")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(QuartetError, match="LoadCredential=kafka-password"):
        settings.password("kafka-password")


def test_the_command_ends_with_the_named_code_and_no_traceback(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "quartet.cli", "producer", "--config", str(write(tmp_path, ratte=1))],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(cli.__file__).parents[1])},
    )
    assert result.returncode == ExitCode.CONFIGURATION
    assert "ratte" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", sorted(set(cli.COMMANDS) - {"train", "inference"}))
def test_every_subcommand_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert f"quartet {name}" in capsys.readouterr().out
