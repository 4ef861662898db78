"""The table of the faults that were seen: printed after each row, and kept in docs/faults.* with KEEP_FAULTS=1."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from phases import ROOT
from phases import on_machine as on

FILE, PAGE = ROOT / "docs/faults.json", ROOT / "docs/faults.md"
BEGIN, END = "<!-- made by `make test-faults` -->", "<!-- end -->"
HEAD = "| row | what was done | messages | images/s | lost | stored twice | sent again | seconds to recover | what an operator saw |"


def server() -> str:
    """Return what the rows were seen on."""
    program = "$(systemctl show -P ExecStart mongod | sed -n 's/.*path=\\([^ ]*\\) .*/\\1/p')"
    database = on("vm1", f"{program} --version").splitlines()[0].replace("db version v", "MongoDB ")
    kafka = on("vm3", "ls -d /opt/quartet/kafka*/libs/kafka_2.13-*.jar | head -1").strip().rpartition("kafka_2.13-")[2].removesuffix(".jar")
    asked = "/opt/quartet/db_consumer/current/bin/python -c 'import importlib.metadata as m; print(m.version(\"quartet\"))'"
    quartet = on("vm2", asked).strip()
    return f"{database}, Kafka {kafka}, one broker, one database member; Quartet {quartet}"


def line(row: dict[str, Any]) -> str:
    """Return a row as a line of the table."""
    seen = "<br>".join(text.replace("|", "/") for text in row["seen"])
    cells = [
        row["name"],
        row["what"],
        f"{row['messages']:,}",
        row.get("rate"),
        row["lost"],
        row["duplicated"],
        f"{row['sent_again']:,}",
        row["seconds"],
        seen,
    ]
    return "| " + " | ".join(str(cell) if cell is not None else "-" for cell in cells) + " |"


def add(row: dict[str, Any]) -> None:
    """Print a row, and keep it if that was asked for."""
    row = {**row, "date": time.strftime("%Y-%m-%d", time.gmtime()), "server": server()}
    print(f"{line(row)} {row['server']}", file=sys.__stderr__, flush=True)
    if os.environ.get("KEEP_FAULTS") != "1":
        return
    rows = {each["name"]: each for each in (json.loads(FILE.read_text()) if FILE.exists() else [])}
    rows[row["name"]] = row
    ordered = sorted(rows.values(), key=lambda each: int(each["name"][1:]))
    FILE.write_text(json.dumps(ordered, indent=1) + "\n")
    seen_on = "\n".join(
        f"- {', '.join(each['name'] for each in ordered if (each['date'], each['server']) == group)}: {group[0]}, {group[1]}"
        for group in dict.fromkeys((each["date"], each["server"]) for each in ordered)
    )
    body = "\n".join([HEAD, "|" + "---|" * HEAD.count(" | ") + "---|", *map(line, ordered), "", "Seen on", seen_on])
    text = PAGE.read_text()
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}")
