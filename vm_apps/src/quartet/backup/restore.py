"""`quartet restore`: check a backup, load it into an empty database, set the consumer groups to its offsets.

Three actions, because a playbook stops and starts the apps and the database between them. `check` changes nothing; each of the others can be
repeated after an interruption. `database` and `offsets` are for a user who may write, whose passwords are lent to this machine for the time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from kafka import KafkaAdminClient, TopicPartition
from kafka import errors as kafka_errors
from kafka.structs import OffsetAndMetadata

from quartet.backup.compatibility import Plan, plan_groups, refusals
from quartet.backup.kafka_state import read_topics
from quartet.backup.load import load
from quartet.backup.manifest import Manifest, damaged_files, read_manifest
from quartet.backup.patience import until_available
from quartet.backup.room import require_space
from quartet.backup.scratch_server import server_version
from quartet.backup.shelf import Shelf
from quartet.kafka import client as kafka_client
from quartet.mongodb import client as mongodb_client
from quartet.runtime import settings
from quartet.runtime.errors import ExitCode, QuartetError, exit_if_unavailable
from quartet.runtime.settings import BackupSettings, password

#: Members that were stopped without leaving are removed when their session ends, after 30 s.
_EMPTY_SECONDS: Final = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the subcommand."""
    parser.add_argument("action", choices=["check", "database", "offsets"], help="what to do; check changes nothing")
    parser.add_argument("--config", required=True, metavar="FILE", help="the settings of the backup (JSON)")
    parser.add_argument("--backup", default="newest", metavar="NAME", help="the backup (default: the newest)")
    parser.add_argument("--accept-loss", action="store_true", help="go on although records that were not read are gone from the log")
    parser.add_argument("--room", metavar="DIR", type=Path, help="refuse if a copy of the documents does not fit on this file system")
    parser.add_argument("--user", metavar="NAME", help="user in Kafka and in the database (default: the settings')")
    parser.add_argument("--credentials", metavar="DIR", help="folder with that user's passwords (default: the settings')")


def run(arguments: argparse.Namespace) -> int:
    """Run one of the actions."""
    options = settings.load(BackupSettings, arguments.config)
    changes: dict[str, object] = {}
    if arguments.user:
        kafka = options.kafka.model_copy(update={"user": arguments.user})
        changes |= {"kafka": kafka, "mongodb": options.mongodb.model_copy(update={"user": arguments.user})}
    if arguments.credentials:
        changes["credentials_directory"] = arguments.credentials
    options = options.model_copy(update=changes)
    shelf = Shelf(options.directory)
    with exit_if_unavailable(), shelf.locked():
        folder = shelf.find(arguments.backup)
        manifest = checked_manifest(options, folder)
        if arguments.room:
            require_space(manifest, arguments.room)
        if arguments.action == "database":
            restore_database(options, folder, manifest)
            print(f"{folder.name}: {sum(c.count for c in manifest.collections):,} documents are in the database as they were")
            return ExitCode.OK
        admin = kafka_client.connect_admin(options.kafka, password("kafka-password", options.credentials_directory))
        try:
            plan = checked_plan(options, manifest, admin, accept_loss=arguments.accept_loss)
            if arguments.action == "offsets":
                set_offsets(admin, plan, pipeline_groups(options))
        finally:
            admin.close()
    for loss in plan.losses:
        print(f"accepted: {loss}")
    said = "the groups have its offsets" if arguments.action == "offsets" else "fits this installation"
    print(f"{folder.name}: {said}")
    return ExitCode.OK


def pipeline_groups(options: BackupSettings) -> dict[str, str]:
    """Return the pipeline's consumer groups and the topic that each reads; others' groups are left alone."""
    groups, topics = options.groups, options.topics
    return {groups.images: topics.images, groups.inferences: topics.inferences, groups.inference: topics.images}


def checked_manifest(options: BackupSettings, folder: Path) -> Manifest:
    """Return the manifest of a backup that is undamaged and fits inventory and server.

    Raises:
        QuartetError: INPUT, naming each damaged file, and both values of each difference.
    """
    manifest = read_manifest(folder)
    problems = damaged_files(folder, manifest) + refusals(manifest, options.inventory_id, server_version(options.mongod))
    if problems:
        raise QuartetError(ExitCode.INPUT, "; ".join(problems))
    return manifest


def checked_plan(options: BackupSettings, manifest: Manifest, admin: KafkaAdminClient, *, accept_loss: bool) -> Plan:
    """Return what the groups get, if the log allows it.

    Raises:
        Unavailable: Kafka does not answer.
        QuartetError: INPUT, the topics are not the backup's; DATA_LOST, unread records are gone and that is not accepted.
    """
    groups = pipeline_groups(options)
    plan = plan_groups(manifest, read_topics(admin, sorted(set(groups.values()))), groups)
    if plan.refusals:
        raise QuartetError(ExitCode.INPUT, "; ".join(plan.refusals))
    if plan.losses and not accept_loss:
        message = f"{'; '.join(plan.losses)}. To go on without them: make restore ACCEPT=loss (quartet restore --accept-loss)"
        raise QuartetError(ExitCode.DATA_LOST, message)
    return plan


def restore_database(options: BackupSettings, folder: Path, manifest: Manifest) -> None:
    """Load every collection and compare it with the manifest.

    Raises:
        Unavailable: the server does not answer.
        QuartetError: INPUT, a collection holds other documents; CREDENTIALS.
    """
    secret = password("mongodb-password", options.credentials_directory)
    with mongodb_client.connect(options.mongodb, secret, app="quartet-restore") as client:
        for wanted in manifest.collections:
            load(client, folder, wanted)


def set_offsets(admin: KafkaAdminClient, plan: Plan, topics: Mapping[str, str]) -> None:
    """Commit the plan's offsets, once the groups are empty. `topics`: the topic that each group reads.

    Raises:
        Unavailable: Kafka does not answer.
        QuartetError: UNAVAILABLE, a group still has members; CREDENTIALS.
    """
    _wait_until_empty(admin, list(plan.positions))
    for group, positions in plan.positions.items():
        wanted = {TopicPartition(topics[group], partition): OffsetAndMetadata(offset, "", -1) for partition, offset in positions.items()}
        until_available(partial(commit_offsets, admin, group, wanted))


def commit_offsets(admin: KafkaAdminClient, group: str, wanted: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
    """Commit offsets of a group that has no members.

    Raises:
        Unavailable: Kafka does not answer, or has no coordinator of the group yet.
        QuartetError: CREDENTIALS.
    """
    with kafka_client.translate_errors():
        for partition, error in admin.alter_group_offsets(group, wanted).items():
            if error is not kafka_errors.NoError:
                raise error(f"offset of {group} at {partition.topic}/{partition.partition}")


def _wait_until_empty(admin: KafkaAdminClient, groups: list[str]) -> None:
    end = time.monotonic() + _EMPTY_SECONDS
    while True:
        with kafka_client.translate_errors():
            found = {row["group_id"] for row in admin.list_groups()}.intersection(groups)
            described = admin.describe_groups(sorted(found)) if found else {}
        busy = {
            group: ", ".join(sorted(str(member.get("group_instance_id") or member.get("client_id")) for member in row["members"]))
            for group, row in described.items()
            if row.get("members")
        }
        if not busy:
            return
        if time.monotonic() > end:
            text = "; ".join(f"{group}: {members}" for group, members in sorted(busy.items()))
            raise QuartetError(ExitCode.UNAVAILABLE, f"the groups still have members ({text}); stop these units first")
        time.sleep(1)
