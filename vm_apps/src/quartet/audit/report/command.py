"""`quartet report`: a self-contained HTML page, a CSV and a chart, made from the output of `verify`.

The figures come from `quartet verify --json`; only the sample images are fetched from the database here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from quartet.audit import reader
from quartet.audit.ledgers import read_ledgers
from quartet.audit.report import chart, page, tables
from quartet.audit.report.samples import fetch_samples
from quartet.runtime import settings
from quartet.runtime.errors import ExitCode, QuartetError, exit_if_unavailable


def _read_verdict(file: str) -> Any:
    try:
        verdict = json.loads(Path(file).read_bytes())
        if verdict["schema"] != "verify/1":
            raise ValueError(f"schema {verdict['schema']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise QuartetError(ExitCode.INPUT, f"{file} is not an output of `quartet verify --json`: {error}") from None
    return verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet report`."""
    parser.add_argument("--config", required=True, metavar="FILE", help="the auditor's settings (JSON)")
    parser.add_argument("--ledgers", required=True, metavar="FILE", help="output of `quartet ledger export`")
    parser.add_argument("--verify", required=True, metavar="FILE", help="output of `quartet verify --json`")
    parser.add_argument("--output", required=True, metavar="DIR", type=Path, help="folder for report.html, report.csv and report.png")


def run(arguments: argparse.Namespace) -> int:
    """Write the page, the CSV and the chart, and print the table."""
    options = settings.load(settings.AuditorSettings, arguments.config)
    verdict = _read_verdict(arguments.verify)
    datasets = [
        f"producer {one.producer_id}, run {one.run}: " + ", ".join(f"{name} {value}" for name, value in one.dataset.items())
        for one in read_ledgers(arguments.ledgers)
    ]
    with exit_if_unavailable():
        samples = fetch_samples(reader.Auditor(options), [row["producer_id"] for row in verdict["producers"]])
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "report.html").write_text(page.render(verdict, samples, datasets), encoding="utf-8")
    (arguments.output / "report.csv").write_text(tables.as_csv(verdict["producers"]), encoding="utf-8")
    (arguments.output / "report.png").write_bytes(chart.draw(verdict["producers"]))
    print(tables.as_text(verdict))
    return ExitCode.OK
