"""What was tried, what refused it, and the line that says why: collected by the tests, printed after them."""

from __future__ import annotations

import json
from typing import NamedTuple


class Refusal(NamedTuple):
    """One thing that must not work and did not. `line`: of a journal, of a command's output, or the server's own answer."""

    tried: str
    refused_by: str
    line: str


REFUSALS: list[Refusal] = []


def refused(tried: str, refused_by: str, line: str) -> None:
    """Note that something was refused, and the line that names why."""
    if line.startswith("{"):
        # mongod's log is JSON; its time and connection say nothing here
        entry = json.loads(line)
        error = entry["attr"]["error"]
        line = f"{entry['msg']}: {error if isinstance(error, str) else error['errmsg']}"
    # PyMongo adds the whole answer to its message
    REFUSALS.append(Refusal(tried, refused_by, " ".join(line.split(", full error:", maxsplit=1)[0].split())))


def table(width: int) -> list[str]:
    """Return the lines of the table, as wide as the terminal at most."""
    first = max(len(row.tried) for row in REFUSALS)
    second = max(len(row.refused_by) for row in REFUSALS)
    rows = [Refusal("tried", "refused by", "the line that says so"), *REFUSALS]
    return [f"{row.tried:<{first}}  {row.refused_by:<{second}}  {row.line}"[:width] for row in rows]
