"""`quartet dead-letters`: the refused records in the dead-letter topic, listed or sent again.

`list` prints the dead letters. `redrive` sends the records of one cause to their topic again, after the cause was fixed; writes are
idempotent, so records that were stored meanwhile change nothing. The auditor may only read, so redrive sends as a user with write access,
whose password playbooks/redrive.yml provides while the command runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from quartet.contracts.causes import Cause, ContractError
from quartet.contracts.dead_letter import DeadLetter, decode_dead_letter
from quartet.kafka import client as kafka_client
from quartet.kafka.batches import HeaderName
from quartet.runtime import settings
from quartet.runtime.errors import CALL_SECONDS, ExitCode, QuartetError, Unavailable
from quartet.runtime.records import Record
from quartet.runtime.settings import AuditorSettings


def read(consumer: KafkaConsumer, topic: str) -> Iterator[tuple[str, DeadLetter | ContractError]]:
    """Yield every dead letter up to the topic's current end, with its key; repeated keys are skipped.

    For a record that is not a dead letter, the ContractError is yielded instead.

    Raises:
        Unavailable, QuartetError
    """
    with kafka_client.translate_errors():
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions, timeout_ms=10_000)
        seen: set[bytes | None] = set()
        while any(consumer.position(partition, timeout_ms=10_000) < end for partition, end in ends.items()):
            for records in consumer.poll(timeout_ms=1_000).values():
                for record in records:
                    if record.key not in seen and record.offset < ends[TopicPartition(record.topic, record.partition)]:
                        seen.add(record.key)
                        yield _decode(record)


def _decode(record: Record) -> tuple[str, DeadLetter | ContractError]:
    name = "(no key)" if record.key is None else bytes(record.key).decode("utf-8", "replace")
    try:
        return name, decode_dead_letter(record.value)
    except ContractError as error:
        return name, error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet dead-letters`."""
    parser.add_argument("action", choices=["list", "redrive"])
    parser.add_argument("--config", required=True, metavar="FILE", help="the auditor's settings (JSON)")
    parser.add_argument("--cause", choices=[cause.value for cause in Cause], help="only dead letters with this cause; required by redrive")
    parser.add_argument("--topic", help="only records of this topic; required by redrive")
    parser.add_argument("--user", help="for redrive: a Kafka user with write access to the topic")
    parser.add_argument("--credentials", metavar="FOLDER", help="for redrive: folder with the user's password, in the file kafka-password")


def run(arguments: argparse.Namespace) -> int:
    """List dead letters, or send them again."""
    if arguments.action == "redrive" and not all((arguments.cause, arguments.topic, arguments.user, arguments.credentials)):
        message = (
            "redrive needs --cause, --topic, --user and --credentials: fix one cause, then send its records again (playbooks/redrive.yml)"
        )
        raise QuartetError(ExitCode.USAGE, message)
    chosen = settings.load(AuditorSettings, arguments.config)
    password = settings.password("kafka-password", chosen.credentials_directory)
    try:
        consumer = kafka_client.connect_reader(chosen.kafka, password)
        found = list(read(consumer, chosen.topics.dead_letters))
        consumer.close()
        letters = [
            letter
            for _, letter in found
            if isinstance(letter, DeadLetter) and arguments.cause in (None, letter.cause.value) and arguments.topic in (None, letter.topic)
        ]
        if arguments.action == "redrive":
            writer = chosen.kafka.model_copy(update={"user": arguments.user})
            _send_again(
                letters, kafka_client.connect_producer(writer, settings.password("kafka-password", arguments.credentials), linger_ms=5)
            )
    except Unavailable as error:
        raise QuartetError(ExitCode.UNAVAILABLE, str(error)) from None
    for letter in letters:
        print(_printable(f"{letter.record_key.decode()}  {letter.cause}  {letter.detail}"))
    for name, broken in found:
        if isinstance(broken, ContractError):
            print(_printable(f"{name}  is not a dead letter: {broken}"))
    print(f"{len(letters)} dead letters" + (" sent again" if arguments.action == "redrive" else ""))
    return ExitCode.OK


def _printable(text: str) -> str:
    """Escape everything that could control a terminal or cannot be encoded."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)


def _send_again(letters: Sequence[DeadLetter], producer: Any) -> None:
    with kafka_client.translate_errors():
        futures = []
        for letter in letters:
            headers = [(HeaderName(name), content) for name, content in letter.headers if content is not None]
            futures.append(producer.send(letter.topic, key=letter.key, value=letter.value, headers=headers))
        for future in futures:
            future.get(timeout=CALL_SECONDS)
        producer.close(timeout=CALL_SECONDS)
