"""An option of a consumer has one default, its role's: the role gives every setting, and the app has no default of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from quartet.runtime.settings import ConsoleSettings, DbConsumerSettings, InferenceSettings

ROOT = Path(__file__).resolve().parents[2]


def variables(role: str) -> Any:
    return yaml.safe_load((ROOT / f"roles/{role}/vars/main.yml").read_text())


DB_CONSUMER = {*variables("db_consumer")["_db_consumer_settings"], "stream", "group", "group_instance_id", "metrics_port"}
CONSOLE = set(variables("console")["_console_instances"][0]["settings"])
INFERENCE = set(variables("inference")["_inference_instances"][0]["settings"])


@pytest.mark.parametrize(("kind", "given"), [(DbConsumerSettings, DB_CONSUMER), (ConsoleSettings, CONSOLE), (InferenceSettings, INFERENCE)])
def test_the_role_gives_every_setting_and_the_app_has_no_default(kind: Any, given: set[str]) -> None:
    assert set(kind.model_fields) == given
    assert [name for name, field in kind.model_fields.items() if not field.is_required()] == []
