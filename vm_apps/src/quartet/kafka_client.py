"""Kafka as the apps use it: SASL_SSL with SCRAM-SHA-512, every blocking call bounded, offsets committed only by hand."""

from __future__ import annotations

import importlib.util
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Protocol

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.structs import OffsetAndMetadata

from quartet import contracts, kafka_records, kafka_transport, tls_causes
from quartet.exit_codes import ExitCode, QuartetError
from quartet.settings import Kafka

log = logging.getLogger(__name__)
kafka_records.accept_what_the_broker_accepts()
kafka_transport.hear_last_words()

#: No call blocks longer, so that the watchdog (60 s) is always fed in time.
CALL_SECONDS: Final = 10.0
_CALL_MS: Final = 10_000
# A broker that is away and a topic without news look the same to poll().
_SILENCE_SECONDS: Final = 5.0


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Record(Protocol):
    """What the worker needs of a consumed record (kafka-python's ConsumerRecord). `timestamp`: ms, the broker's clock."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Unavailable(Exception):
    """A server does not answer, for now: what was begun must be begun again later."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"{server}: {reason}")
        self.server = server


def require_crc32c() -> None:
    """Refuse to start without the compiled checksum: kafka-python's own is a thousand times slower.

    Raises:
        QuartetError: CONFIGURATION, the package crc32c is missing.
    """
    if importlib.util.find_spec("crc32c") is None:
        raise QuartetError(
            ExitCode.CONFIGURATION, "the package crc32c is not installed; without it Kafka's checksums are 1,000 times slower"
        )


class _Failures(logging.Handler):
    """Notices why Kafka cannot be reached: the client goes on trying, ends in a bare timeout, and only logs the cause."""

    #: Why Kafka refused the password
    refusal: str | None = None
    _cause = ""
    _cause_at = -math.inf

    def emit(self, record: logging.LogRecord) -> None:
        for argument in record.args if isinstance(record.args, tuple) else ():
            if isinstance(argument, kafka_errors.SaslAuthenticationFailedError):
                self.refusal = str(argument)
            elif isinstance(argument, kafka_errors.KafkaConnectionError | OSError):
                self._cause, self._cause_at = str(argument), time.monotonic()

    def recent_cause(self) -> str | None:
        """Return why the last connection failed, if that was while the present call was waiting."""
        if time.monotonic() - self._cause_at > 2 * CALL_SECONDS:
            return None
        return tls_causes.explain(self._cause) or self._cause[:200]


_failures = _Failures()
logging.getLogger("kafka").addHandler(_failures)


@contextmanager
def translated() -> Iterator[None]:
    """Turn kafka-python's errors into the two that matter: wait (Unavailable), or stop and say why (QuartetError)."""
    try:
        yield
        if _failures.refusal is not None:
            raise kafka_errors.SaslAuthenticationFailedError(_failures.refusal)
    except kafka_errors.KafkaTimeoutError as error:
        if _failures.refusal is None:
            raise Unavailable("kafka", _failures.recent_cause() or f"no answer in time: {error}") from error
        message = f"Kafka does not accept the user or the password: {_failures.refusal}"
        raise QuartetError(ExitCode.CREDENTIALS, message) from error
    except (kafka_errors.SaslAuthenticationFailedError, kafka_errors.UnsupportedSaslMechanismError) as error:
        raise QuartetError(ExitCode.CREDENTIALS, f"Kafka does not accept the user or the password: {error}") from error
    except kafka_errors.AuthorizationError as error:
        raise QuartetError(ExitCode.CREDENTIALS, f"Kafka does not allow it: {type(error).__name__} {error}") from error
    except kafka_errors.FencedInstanceIdError as error:
        message = f"another process took this consumer's group_instance_id; stop the other one ({error})"
        raise QuartetError(ExitCode.UNAVAILABLE, message) from error
    except kafka_errors.KafkaError as error:
        raise Unavailable("kafka", tls_causes.explain(str(error)) or str(error) or type(error).__name__) from error


def _security(settings: Kafka, password: str) -> dict[str, Any]:
    return {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": "SASL_SSL",
        "ssl_cafile": settings.ca_file,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": settings.user,
        "sasl_plain_password": password,
        "bootstrap_timeout_ms": _CALL_MS,
        "request_timeout_ms": _CALL_MS,
        "reconnect_backoff_max_ms": 2_000,
    }


def connect_producer(settings: Kafka, password: str, *, linger_ms: int, batch_bytes: int = 131_072) -> KafkaProducer:
    """Return an idempotent producer. A send that Kafka does not acknowledge within 60 s fails.

    Raises:
        Unavailable: Kafka does not answer.
        QuartetError: CREDENTIALS.
    """
    with translated():
        return KafkaProducer(
            **_security(settings, password),
            enable_idempotence=True,
            acks="all",
            linger_ms=linger_ms,
            batch_size=batch_bytes,
            max_block_ms=_CALL_MS,
            delivery_timeout_ms=60_000,
            max_request_size=contracts.LARGEST_DEAD_LETTER,
        )


def connect_admin(settings: Kafka, password: str) -> KafkaAdminClient:
    """Return an admin client.

    Raises:
        Unavailable: Kafka does not answer.
        QuartetError: CREDENTIALS.
    """
    with translated():
        return KafkaAdminClient(**_security(settings, password))


def connect_reader(settings: Kafka, password: str) -> KafkaConsumer:
    """Return a consumer without a group, for commands that read whole topics and commit nothing.

    Raises:
        Unavailable: Kafka does not answer.
        QuartetError: CREDENTIALS.
    """
    with translated():
        return KafkaConsumer(
            **_security(settings, password),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            max_poll_records=5_000,
            max_partition_fetch_bytes=contracts.LARGEST_DEAD_LETTER,
        )


def topic_id(settings: Kafka, password: str, topic: str) -> str:
    """Return the id of a topic: a topic that was deleted and made anew has another, and offsets that start again.

    Raises:
        Unavailable: Kafka does not answer, or there is no such topic yet.
        QuartetError: CREDENTIALS.
    """
    admin = connect_admin(settings, password)
    try:
        with translated():
            found = admin.describe_topics([topic])
    finally:
        admin.close()
    description = found[0] if isinstance(found, list) else found[topic]
    if description.get("error_code"):
        raise Unavailable("kafka", f"topic {topic} does not exist")
    return str(description["topic_id"])


class GroupConsumer:
    """One topic, read as a static member of a consumer group from the last commit on.

    A group without a commit begins at the oldest record. Where the committed records are gone, the process stops and names the lost
    range, unless the loss was accepted (`--accept-loss`).
    """

    def __init__(self, settings: Kafka, password: str, topic: str, group: str, instance: str, *, accept_loss: bool) -> None:
        self.topic = topic
        self._accept_loss = accept_loss
        self._paused = False
        self._revoked: Callable[[], None] = lambda: None
        self._heard_at = time.monotonic()
        with translated():
            self._consumer = KafkaConsumer(
                **_security(settings, password),
                group_id=group,
                group_instance_id=instance,
                enable_auto_commit=False,
                auto_offset_reset="none",
                allow_auto_create_topics=False,
                session_timeout_ms=30_000,
                heartbeat_interval_ms=3_000,
                max_poll_interval_ms=300_000,
                max_poll_records=10_000,
                fetch_max_wait_ms=500,
                metadata_max_age_ms=30_000,
            )
            self._consumer.subscribe([topic], listener=_Listener(self))

    def on_revoke(self, forget: Callable[[], None]) -> None:
        """Set what is done before partitions go to another member.

        The client calls it on its own thread, inside `poll`, where it refuses every call that waits, a commit too. So what was begun is
        forgotten: who has the partition next reads it again, which changes nothing.
        """
        self._revoked = forget

    def poll(self, seconds: float, most: int) -> list[Record]:
        """Return up to `most` records, each partition's in the order of offsets; an empty list after `seconds`.

        When nothing came for a while, the broker is asked for a sign of life.

        Raises:
            Unavailable, QuartetError
        """
        with translated():
            try:
                found = self._consumer.poll(timeout_ms=int(seconds * 1000), max_records=most)
            except kafka_errors.NoOffsetForPartitionError:
                self._begin()
                return []
            except kafka_errors.OffsetOutOfRangeError as error:
                self._handle_loss(error)
                return []
            if found:
                self._heard_at = time.monotonic()
            elif time.monotonic() - self._heard_at > _SILENCE_SECONDS:
                self._ask()
        return [record for records in found.values() for record in records]

    def has_assignment(self) -> bool:
        """Say whether this member has partitions."""
        return bool(self._consumer.assignment())

    def topic_exists(self) -> bool:
        """Say whether the cluster knows the topic.

        Raises:
            Unavailable, QuartetError
        """
        return self.partitions_of(self.topic) > 0

    def partitions_of(self, topic: str) -> int:
        """Return the number of partitions of a topic, 0 if there is no such topic.

        Raises:
            Unavailable, QuartetError
        """
        with translated():
            return len(self._partitions(topic))

    def backlog(self) -> int | None:
        """Return how many records are left to read, as far as the last answers tell."""
        left = 0
        for partition in self._consumer.assignment():
            end = self._consumer.highwater(partition)
            if end is None:
                return None
            with translated():
                left += max(0, end - (self._consumer.position(partition, timeout_ms=1_000) or 0))
        return left

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit the offsets of the next records to read.

        A member that lost its partitions meanwhile cannot commit; what it did is done again by another, which is harmless.

        Raises:
            Unavailable, QuartetError
        """
        try:
            with translated():
                wanted = {TopicPartition(*partition): OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
                self._consumer.commit(wanted, timeout_ms=_CALL_MS)
        except Unavailable as error:
            if not isinstance(
                error.__cause__,
                kafka_errors.CommitFailedError
                | kafka_errors.IllegalGenerationError
                | kafka_errors.UnknownMemberIdError
                | kafka_errors.RebalanceInProgressError,
            ):
                raise
            log.warning("the group moved on before the commit; the records come again and change nothing")

    def rewind(self, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions again from these offsets."""
        assigned = self._consumer.assignment()
        for partition, offset in offsets.items():
            if TopicPartition(*partition) in assigned:
                self._consumer.seek(TopicPartition(*partition), offset)

    def pause(self) -> None:
        """Stop fetching; polling keeps the membership."""
        self._paused = True
        self._consumer.pause(*self._consumer.assignment())

    def resume(self) -> None:
        """Fetch again."""
        self._paused = False
        self._consumer.resume(*self._consumer.paused())

    def close(self) -> None:
        """Close without leaving the group: the same instance comes back within the session timeout."""
        with translated():
            self._consumer.close(autocommit=False, timeout_ms=_CALL_MS)

    def assigned(self) -> None:
        """Take what is new in the assignment; called by the client."""
        if self._paused:
            self._consumer.pause(*self._consumer.assignment())

    def revoked(self) -> None:
        """Forget what was begun; called by the client before it gives partitions away."""
        self._revoked()

    def _ask(self) -> None:
        # for a topic that was not known so far, this asks the cluster
        if self._partitions(self.topic):
            some = next(iter(self._consumer.assignment()), TopicPartition(self.topic, 0))
            self._consumer.end_offsets([some], timeout_ms=int(_SILENCE_SECONDS * 1000))
        self._heard_at = time.monotonic()

    def _partitions(self, topic: str) -> set[int]:
        """Do what KafkaConsumer.partitions_for_topic does, which waits for a broker that is away without end."""
        cluster = self._consumer._cluster
        if not cluster.partitions_for_topic(topic):
            before, cluster.need_all_topic_metadata = cluster.need_all_topic_metadata, True
            try:
                self._consumer._net.run(self._consumer._manager.wait_for, cluster.request_update(), int(_SILENCE_SECONDS * 1000))
            finally:
                cluster.need_all_topic_metadata = before
        return cluster.partitions_for_topic(topic) or set()

    def _begin(self) -> None:
        missing = [
            partition for partition in self._consumer.assignment() if self._consumer.committed(partition, timeout_ms=_CALL_MS) is None
        ]
        for partition, offset in self._consumer.beginning_offsets(missing, timeout_ms=_CALL_MS).items():
            log.info("%s: no commit yet, beginning at offset %d", _name(partition), offset)
            if offset:
                log.warning("%s: the records before offset %d were deleted before this group read any", _name(partition), offset)
            self._consumer.seek(partition, offset)

    def _handle_loss(self, error: kafka_errors.OffsetOutOfRangeError) -> None:
        wanted: dict[TopicPartition, int] = error.args[0]
        oldest = self._consumer.beginning_offsets(list(wanted), timeout_ms=_CALL_MS)
        newest = self._consumer.end_offsets(list(wanted), timeout_ms=_CALL_MS)
        ranges = ", ".join(
            f"{_name(partition)}: offsets {offset} to {oldest[partition] - 1} are deleted"
            if offset < oldest[partition]
            else f"{_name(partition)}: offset {offset} is beyond the end {newest[partition]}; the topic was made anew"
            for partition, offset in wanted.items()
        )
        if not self._accept_loss:
            message = f"{ranges}. Nothing was skipped; to go on with what is left, start once with --accept-loss"
            raise QuartetError(ExitCode.DATA_LOST, message)
        log.error("accepted loss: %s", ranges)
        for partition in wanted:
            self._consumer.seek(partition, oldest[partition])


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: GroupConsumer) -> None:
        self._group_consumer = consumer

    def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        if revoked:
            self._group_consumer.revoked()

    def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        log.info("assigned %d partitions", len(assigned), extra={"fields": {"partitions": sorted(item.partition for item in assigned)}})
        self._group_consumer.assigned()


def _name(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"
