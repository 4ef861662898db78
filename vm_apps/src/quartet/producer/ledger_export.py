"""`quartet ledger export`: the ledgers of a producer host, as JSON, for the auditing commands."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from quartet.producer.ledger import export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet ledger`."""
    parser.add_argument("action", choices=["export"])
    parser.add_argument("--state-directory", required=True, metavar="DIR", type=Path)


def run(arguments: argparse.Namespace) -> int:
    """Print all ledgers."""
    print(json.dumps(export(arguments.state_directory)))
    return 0
