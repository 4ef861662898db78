"""Asks Prometheus: https://prometheus.io/docs/prometheus/latest/querying/api/. It listens on this VM's loopback, in plain HTTP."""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from quartet.runtime.errors import Unavailable

_SECONDS: Final = 5.0
_MOST_BYTES: Final = 4_000_000


class Sample(NamedTuple):
    """A series' labels and its value; not a number and infinity are None."""

    labels: Mapping[str, str]
    value: float | None


class Series(NamedTuple):
    """A series' labels and its values, by seconds since the epoch."""

    labels: Mapping[str, str]
    values: Mapping[int, float | None]


class PrometheusApi:
    """Prometheus' HTTP API. Every method raises Unavailable, with the reason."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 9090

    def query(self, expression: str) -> list[Sample]:
        """Return the value of an expression now."""
        data = self._ask("POST", "/api/v1/query", {"query": expression})
        return [Sample(row["metric"], _number(row["value"][1])) for row in data["result"]]

    def query_range(self, expression: str, start: int, end: int, step: int) -> list[Series]:
        """Return the values of an expression between two times, every `step` seconds."""
        data = self._ask("POST", "/api/v1/query_range", {"query": expression, "start": start, "end": end, "step": step})
        return [Series(row["metric"], {int(at): _number(value) for at, value in row["values"]}) for row in data["result"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the pending and the firing alerts."""
        return list(self._ask("GET", "/api/v1/alerts", {})["alerts"])

    def _ask(self, method: str, path: str, fields: Mapping[str, Any]) -> Any:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_SECONDS)
        try:
            connection.request(method, path, urlencode(fields) or None, {"Content-Type": "application/x-www-form-urlencoded"})
            text = connection.getresponse().read(_MOST_BYTES)
            answer = json.loads(text)
            if answer["status"] != "success":
                raise Unavailable("prometheus", f"{answer.get('errorType')}: {str(answer.get('error'))[:200]}")
            return answer["data"]
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable("prometheus", f"does not answer: {str(error) or type(error).__name__}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable("prometheus", f"its answer is not understood: {type(error).__name__}") from error
        finally:
            connection.close()


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None
