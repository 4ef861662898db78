"""The alerts that fired during a row, as Prometheus on the monitor host (vm2) has them."""

from __future__ import annotations

import json
import time
from typing import Any

from phases import on_machine as on

_STEP_SECONDS = 5
# On the VM, because Prometheus listens on its loopback alone
_ASK = """python3 - << 'END'
import urllib.parse, urllib.request
asked = urllib.parse.urlencode({{"query": 'ALERTS{{alertstate="firing",severity!="none"}}', "start": {start}, "end": {end}, "step": {step}}})
print(urllib.request.urlopen("http://127.0.0.1:9090/api/v1/query_range?" + asked, timeout=30).read().decode())
END
"""


def fired(begin: float) -> list[tuple[str, int]] | None:
    """Return the alerts that began to fire after `begin` (seconds since the epoch), each with the seconds until then; None without Prometheus."""
    said = on("vm2", _ASK.format(start=begin, end=time.time(), step=_STEP_SECONDS), check=False)
    return parsed(said, begin)


def parsed(said: str, begin: float) -> list[tuple[str, int]] | None:
    """Return the alerts in an answer of query_range, in the order in which they began; those that fired before are not the fault's."""
    try:
        series: list[dict[str, Any]] = json.loads(said)["data"]["result"]
    except (ValueError, KeyError):
        return None
    first: dict[str, float] = {}
    for row in series:
        name, at = row["metric"]["alertname"], float(row["values"][0][0])
        first[name] = min(at, first.get(name, at))
    return sorted(((name, round(at - begin)) for name, at in first.items() if at - begin > _STEP_SECONDS), key=lambda alert: alert[1])
