"""`quartet dead-letters`: the refused records in the dead-letter topic, listed or sent again.

`list` shows what lies there. `redrive` sends the records of one cause to their topic again, after the cause was mended; a record that is
stored by then is resolved, because every write happens once. The auditor only reads: redrive writes as a user that may write the topic,
whose password playbooks/redrive.yml lends for as long as the command runs.
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
    """Yield every dead letter up to the topic's present end, with its key; one whose key came before is left out.

    A record that is no dead letter comes as what is wrong with it.

    Raises:
        Unavailable, QuartetError
    """
    with kafka_client.translated():
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
                        yield _named(record)


def _named(record: Record) -> tuple[str, DeadLetter | ContractError]:
    name = "(no key)" if record.key is None else bytes(record.key).decode("utf-8", "replace")
    try:
        return name, decode_dead_letter(record.value)
    except ContractError as error:
        return name, error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet dead-letters`."""
    parser.add_argument("action", choices=["list", "redrive"])
    parser.add_argument("--config", required=True, metavar="FILE", help="the auditor's settings (JSON)")
    parser.add_argument("--cause", choices=[cause.value for cause in Cause], help="only those of this cause; redrive needs one")
    parser.add_argument("--topic", help="only the records of this topic; redrive needs one")
    parser.add_argument("--user", help="for redrive: a user of Kafka that may write the topic")
    parser.add_argument("--credentials", metavar="FOLDER", help="for redrive: where the user's password is, in the file kafka-password")


def run(arguments: argparse.Namespace) -> int:
    """List dead letters, or send them again."""
    if arguments.action == "redrive" and not all((arguments.cause, arguments.topic, arguments.user, arguments.credentials)):
        message = (
            "redrive needs --cause, --topic, --user and --credentials: mend one cause, then send its records again (playbooks/redrive.yml)"
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
            print(_printable(f"{name}  is no dead letter: {broken}"))
    print(f"{len(letters)} dead letters" + (" sent again" if arguments.action == "redrive" else ""))
    return ExitCode.OK


def _printable(text: str) -> str:
    """Return a text that neither steers a terminal nor fails to print."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)


def _send_again(letters: Sequence[DeadLetter], producer: Any) -> None:
    with kafka_client.translated():
        futures = []
        for letter in letters:
            headers = [(HeaderName(name), content) for name, content in letter.headers if content is not None]
            futures.append(producer.send(letter.topic, key=letter.key, value=letter.value, headers=headers))
        for future in futures:
            future.get(timeout=CALL_SECONDS)
        producer.close(timeout=CALL_SECONDS)
