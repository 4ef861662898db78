"""`quartet verify`: checks the data on the servers against the producers' ledgers, and reports the broken rules."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from quartet.audit import collection
from quartet.audit.reader import Auditor
from quartet.audit.rule import State
from quartet.audit.verdict import Verdict, judge
from quartet.runtime import settings, textfile
from quartet.runtime.errors import ExitCode


def table(verdict: Verdict) -> str:
    """Format the verdict as text: the counts of each producer, then the rules."""
    heads = ["producer", "sent", "stored", "inferred", "pending", "refused", "batch", "stream", "recount", "accuracy"]
    lines = [heads]
    for row in verdict.producers:
        right = row.recount_total - row.recount_incorrect
        lines.append(
            [
                str(row.producer_id),
                *(f"{n:,}" for n in (row.sent, row.stored, row.inferred, row.pending, row.refused)),
                _share(row.batch_incorrect, row.batch_total),
                _share(row.stream_incorrect, row.stream_total),
                _share(row.recount_incorrect, row.recount_total),
                f"{right / row.recount_total:.3f}" if row.recount_total else "-",
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    text = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    text += ["batch, stream, recount: wrong / counted images", ""]
    marks = {State.HOLDS: "ok", State.PENDING: "..", State.BROKEN: "BROKEN"}
    for rule in verdict.rules:
        text.append(f"{marks[rule.state]:>6}  {rule.number} {rule.title}")
        text += [f"          {line}" for line in [*rule.broken, *rule.pending, *rule.notes]]
    text.append("")
    if verdict.broken:
        text.append(f"verify: broken: {', '.join(str(rule.number) for rule in verdict.broken)}")
    else:
        text.append("verify: everything holds" + ("" if verdict.drained else " so far; not everything has arrived yet"))
    return "\n".join(text)


def _share(incorrect: int | None, total: int | None) -> str:
    return "-" if incorrect is None or total is None else f"{incorrect:,} / {total:,}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet verify`."""
    collection.add_arguments(parser)
    parser.add_argument("--json", metavar="FILE", help="also write the verdict and all figures to this file (JSON)")


def run(arguments: argparse.Namespace) -> int:
    """Collect, judge, show the table and write the JSON."""
    options = settings.load(settings.AuditorSettings, arguments.config)
    auditor = Auditor(options)
    with collection.collected_evidence(auditor, arguments.ledgers, arguments.work) as evidence:
        verdict = judge(evidence)
    if arguments.json is not None:
        Path(arguments.json).write_text(json.dumps(verdict.as_json(), indent=1), encoding="utf-8")
    print(table(verdict))
    if not verdict.broken and options.metrics_directory is not None:
        textfile.record_success(options.metrics_directory, "verify")
    return ExitCode.FAILED if verdict.broken else ExitCode.OK
