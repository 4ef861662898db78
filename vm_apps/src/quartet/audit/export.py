"""`quartet evidence export`: what `quartet verify` judges, as Parquet files for people and their tools."""

from __future__ import annotations

import argparse
from pathlib import Path

from quartet.audit import collection
from quartet.audit.reader import Auditor
from quartet.runtime import settings
from quartet.runtime.errors import ExitCode, QuartetError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet evidence`."""
    parser.add_argument("action", choices=["export"])
    collection.add_arguments(parser)
    parser.add_argument("--output", required=True, metavar="DIR", type=Path, help="folder for the files, one per table: <table>.parquet")


def run(arguments: argparse.Namespace) -> int:
    """Collect the evidence and write its tables."""
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise QuartetError(ExitCode.DISK, f"cannot write {arguments.output}: {error.strerror}. Name another folder with --output") from None
    auditor = Auditor(settings.load(settings.AuditorSettings, arguments.config))
    with collection.collected_evidence(auditor, arguments.ledgers, arguments.work) as evidence:
        tables = evidence.export(arguments.output)
    print(f"{len(tables)} tables in {arguments.output}: {', '.join(tables)}")
    return ExitCode.OK
