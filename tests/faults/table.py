"""The table of the tested faults: printed after each row, and kept in docs/faults.* with KEEP_FAULTS=1.

`PYTHONPATH=tests .venv/bin/python -m faults.table` writes docs/faults.md from docs/faults.json again.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from typing import Any

from phases import ROOT
from phases import on_machine as on

FILE, PAGE = ROOT / "docs/faults.json", ROOT / "docs/faults.md"
BEGIN, END = "<!-- made by `make test-faults` -->", "<!-- end -->"
HEAD = ("row", "messages", "images/s", "lost", "stored twice", "sent again", "seconds to recover", "alerts")
WIDTH = 120


def server(database_on: str = "vm1", consumer_on: str = "vm2", broker_on: str = "vm3") -> str:
    """Return the versions of the lab, or of other machines, on which the rows were tested."""
    program = "$(systemctl show -P ExecStart mongod | sed -n 's/.*path=\\([^ ]*\\) .*/\\1/p')"
    database = on(database_on, f"{program} --version").splitlines()[0].replace("db version v", "MongoDB ")
    kafka = (
        on(broker_on, "ls -d /opt/quartet/kafka*/libs/kafka_2.13-*.jar | head -1").strip().rpartition("kafka_2.13-")[2].removesuffix(".jar")
    )
    asked = "/opt/quartet/db_consumer/current/bin/python -c 'import importlib.metadata as m; print(m.version(\"quartet\"))'"
    quartet = on(consumer_on, asked).strip()
    return f"{database}, Kafka {kafka}, one broker, one database member; Quartet {quartet}"


def cells(row: dict[str, Any]) -> list[str]:
    """Return a row's line of the table: its name and the numbers."""
    alerts = row.get("alerts")
    numbers = (
        row["messages"],
        row.get("rate"),
        row["lost"],
        row["duplicated"],
        row["sent_again"],
        row["seconds"],
        None if alerts is None else len(alerts),
    )
    return [row["name"], *("-" if number is None else f"{number:,}" for number in numbers)]


def seen(row: dict[str, Any]) -> list[str]:
    """Return what an operator saw of a row: the lines of units, and the alerts that fired; of old rows the alerts are not known."""
    alerts = ", ".join(f"{name} after {seconds} s" for name, seconds in row.get("alerts") or ())
    return [*row["seen"], *([f"alerts: {alerts}"] if alerts else ["no alert"] if row.get("alerts") is not None else [])]


def wrapped(text: str, first: str = "", other: str = "") -> str:
    """Wrap a text to the width of a terminal; words are never split, so that they can be searched for."""
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=other, break_long_words=False, break_on_hyphens=False)


def rendered(rows: list[dict[str, Any]]) -> str:
    """Return the page's table of numbers, what was done and seen in each row, and what the rows were seen on."""
    lines = [cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(HEAD, *lines, strict=True)]
    table = [
        "| " + " | ".join(name.ljust(width) for name, width in zip(HEAD, widths, strict=True)) + " |",
        "|" + "|".join("-" * (width + 1) + (":" if number else "-") for number, width in enumerate(widths)) + "|",
        *("| " + " | ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) + " |" for line in lines),
    ]
    details = [
        "\n".join([wrapped(f"**{row['name']}** {row['what']}"), "", *(wrapped(text, "- ", "  ") for text in seen(row)), ""]) for row in rows
    ]
    seen_on = [
        wrapped(f"{', '.join(row['name'] for row in rows if (row['date'], row['server']) == group)}: {', '.join(group)}", "- ", "  ")
        for group in dict.fromkeys((row["date"], row["server"]) for row in rows)
    ]
    return "\n".join([*table, "", "## What was done, and what an operator saw", "", *details, "## Seen on", "", *seen_on])


def write_page(rows: list[dict[str, Any]]) -> None:
    """Write the rows between the page's two markers."""
    text = PAGE.read_text()
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{rendered(rows)}\n{END}{after}")


def add(row: dict[str, Any], seen_on: str | None = None) -> None:
    """Print a row, and keep it if that was asked for; `seen_on` says on what it was tested, where that is not the lab."""
    row = {**row, "date": time.strftime("%Y-%m-%d", time.gmtime()), "server": seen_on or server()}
    numbers = ", ".join(f"{value} {name}" for name, value in zip(HEAD[1:], cells(row)[1:], strict=True))
    print(
        "\n".join([f"{row['name']} {row['what']}: {numbers}", *(f"  {text}" for text in seen(row)), f"  {row['server']}"]),
        file=sys.__stderr__,
        flush=True,
    )
    if os.environ.get("KEEP_FAULTS") != "1":
        return
    rows = {each["name"]: each for each in (json.loads(FILE.read_text()) if FILE.exists() else [])}
    rows[row["name"]] = row
    ordered = sorted(rows.values(), key=lambda each: int(each["name"][1:]))
    FILE.write_text(json.dumps(ordered, indent=1) + "\n")
    write_page(ordered)


if __name__ == "__main__":
    write_page(json.loads(FILE.read_text()))
