"""The command `quartet`: each subcommand is a module with `add_arguments(parser)` and `run(arguments) -> exit status`.

A module is imported only when its subcommand runs, because a VM installs only what its app needs.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.service import Service, configure_logging, fail
from quartet.runtime.version import VERSION

_CREDENTIALS_SECONDS: Final = 25.0
COMMANDS: Final = {
    "producer": ("quartet.producer.app", "send the images of a data set"),
    "db-consumer": ("quartet.db_consumer.app", "store a topic in the database"),
    "inference": ("quartet.inference.app", "classify images"),
    "exporter": ("quartet.exporter.app", "serve metrics of Kafka and the database"),
    "ledger": ("quartet.producer.ledger_export", "print what a producer sent"),
    "console": ("quartet.console.app", "serve the live console"),
    "dead-letters": ("quartet.audit.dead_letters", "list refused records, or send them again"),
    "model": ("quartet.inference.model_check", "check a model file"),
    "train": ("quartet.inference.train", "train a model"),
    "verify": ("quartet.audit.verify", "recount all inferences and check the delivery rules"),
    "evidence": ("quartet.audit.export", "write the evidence of verify as Parquet files"),
    "report": ("quartet.audit.report.command", "write the report (HTML, CSV and chart)"),
    "trace": ("quartet.audit.trace", "show one image at every stage of the pipeline"),
    "backup": ("quartet.backup.command", "back the database up, with the state of Kafka that belongs to it"),
    "restore-drill": ("quartet.backup.drill", "restore a backup into a scratch server, compare it, and remove it"),
    "restore": ("quartet.backup.restore", "check a backup, load it, set the consumer groups to its offsets"),
    "health": ("quartet.runtime.health", "wait until units are healthy"),
    "status": ("quartet.audit.status", "show lags, counts and versions"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit status (quartet.runtime.errors)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="quartet", description="The apps of a streaming image-inference pipeline.")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, (module, description) in COMMANDS.items():
        command = commands.add_parser(name, help=description, description=description)
        if name == chosen:
            loaded = importlib.import_module(module)
            loaded.add_arguments(command)
            command.set_defaults(run=loaded.run)
    parsed = parser.parse_args(words)
    configure_logging()
    try:
        return int(parsed.run(parsed))
    except QuartetError as error:
        status = fail(error)
        if status is ExitCode.CREDENTIALS and "NOTIFY_SOCKET" in os.environ:
            # systemd has one RestartSec for all exit statuses; delay it here, so that a wrong password is not retried every few seconds
            Service().sleep(_CREDENTIALS_SECONDS)
        return int(status)
    except BrokenPipeError:
        return int(ExitCode.FAILED)


if __name__ == "__main__":
    sys.exit(main())
