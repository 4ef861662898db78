"""`quartet restore-drill`: restore a backup into a server of its own, compare everything, log in as every app, remove it again."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from pymongo import errors as mongo_errors

from quartet.backup import load
from quartet.backup.compatibility import refusals
from quartet.backup.log_ins import check_log_ins, create_administrator
from quartet.backup.manifest import damaged_files, read_manifest
from quartet.backup.room import require_space
from quartet.backup.scratch_server import scratch_server, server_version
from quartet.backup.shelf import Shelf
from quartet.runtime import settings, textfile
from quartet.runtime.errors import ExitCode, QuartetError, exit_if_unavailable
from quartet.runtime.settings import BackupSettings


@dataclass(frozen=True)
class DrillResult:
    """What a drill found. `passed_at`: seconds since the epoch; `bytes`: of the documents; `users`: who logged in."""

    passed_at: float
    seconds: float
    documents: int
    bytes: int
    server: str
    users: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the subcommand."""
    parser.add_argument("--config", required=True, metavar="FILE", help="the settings of the backup (JSON)")
    parser.add_argument("--backup", default="newest", metavar="NAME", help="the backup (default: the newest)")


def run(arguments: argparse.Namespace) -> int:
    """Drill, record, and remove backups that are too many."""
    options = settings.load(BackupSettings, arguments.config)
    shelf = Shelf(options.directory)
    with shelf.locked():
        folder = shelf.find(arguments.backup)
        with exit_if_unavailable():
            result = drill(options, folder)
        shelf.record_drill(folder.name, asdict(result))
        removed = shelf.prune(options.keep)
    textfile.record_success(options.metrics_directory, "restore_drill", duration_seconds=result.seconds, bytes=result.bytes)
    print(
        f"restore drill of {folder.name} passed: {result.documents:,} documents, {result.bytes / 1e9:.3f} GB, {result.seconds / 60:.1f} min "
        f"on MongoDB {result.server}; hashes, counts, indexes and validators are the manifest's; logged in: {', '.join(result.users)}"
    )
    if removed:
        print(f"removed {', '.join(removed)}")
    return ExitCode.OK


def drill(options: BackupSettings, folder: Path) -> DrillResult:
    """Restore a backup into a scratch server and compare it with the manifest.

    Raises:
        QuartetError: INPUT, the backup is damaged or does not fit, naming each reason; FAILED, no space, or a user cannot log in.
    """
    began = time.monotonic()
    manifest = read_manifest(folder)
    server = server_version(options.mongod)
    problems = damaged_files(folder, manifest) + refusals(manifest, options.inventory_id, server)
    if problems:
        raise QuartetError(ExitCode.INPUT, "; ".join(problems))
    require_space(manifest, Path(options.scratch_directory).parent)
    try:
        with scratch_server(options.mongod, options.scratch_directory) as scratch, create_administrator(scratch) as administrator:
            for wanted in manifest.collections:
                load.load(administrator, folder, wanted)
                difference = load.layout_difference(administrator[wanted.database][wanted.name], folder, wanted)
                if difference:
                    raise QuartetError(ExitCode.FAILED, difference)
            users = check_log_ins(scratch, administrator, options.roles, options.users)
    except mongo_errors.PyMongoError as error:
        raise QuartetError(ExitCode.FAILED, f"the server of the drill failed: {error}") from None
    documents = sum(wanted.count for wanted in manifest.collections)
    return DrillResult(time.time(), time.monotonic() - began, documents, manifest.uncompressed_bytes, server, users)
