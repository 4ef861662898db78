"""No password shows. The first file, because the tests after it hand passwords over on command lines of their own."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

SECRETS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "secrets" / "secrets.yml"


def test_no_password_shows(host):
    values = yaml.safe_load(SECRETS.read_text())["secrets_values"]
    everything = host.check_output("journalctl --no-pager -o verbose") + host.check_output(
        "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n'"
    )
    assert not [name for name, value in values.items() if name.startswith("mongodb_") and value in everything]
