"""Kafka clients of the apps: SASL_SSL with SCRAM-SHA-512, a timeout on every blocking call, no automatic commits."""

from __future__ import annotations

import importlib.util
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors

from quartet.contracts.dead_letter import LARGEST_DEAD_LETTER
from quartet.kafka import batches, transport
from quartet.kafka.partitioner import KeyPartitioner
from quartet.runtime import tls_causes
from quartet.runtime.errors import CALL_SECONDS, ExitCode, QuartetError, Unavailable
from quartet.runtime.settings import Kafka

log = logging.getLogger(__name__)
batches.patch_batch_parser()
transport.patch_read_before_close()

CALL_MS: Final = int(CALL_SECONDS * 1000)


def require_crc32c() -> None:
    """Check that the compiled checksum (crc32c) is installed: kafka-python's own is 1,000 times slower.

    Raises:
        QuartetError: CONFIGURATION, the package crc32c is missing.
    """
    if importlib.util.find_spec("crc32c") is None:
        raise QuartetError(
            ExitCode.CONFIGURATION, "the package crc32c is not installed; without it Kafka's checksums are 1,000 times slower"
        )


class _ConnectionErrors(logging.Handler):
    """Records why Kafka cannot be reached: kafka-python retries until a plain timeout, and only logs the cause."""

    #: Why Kafka refused the credentials
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
        """Return why the last connection failed, if it failed during the current call."""
        if time.monotonic() - self._cause_at > 2 * CALL_SECONDS:
            return None
        return tls_causes.explain(self._cause) or self._cause[:200]


_connection_errors = _ConnectionErrors()
logging.getLogger("kafka").addHandler(_connection_errors)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate kafka-python's errors into Unavailable (retry) or QuartetError (stop, with the cause)."""
    try:
        yield
        if _connection_errors.refusal is not None:
            raise kafka_errors.SaslAuthenticationFailedError(_connection_errors.refusal)
    except kafka_errors.KafkaTimeoutError as error:
        if _connection_errors.refusal is None:
            raise Unavailable("kafka", _connection_errors.recent_cause() or f"no answer in time: {error}") from error
        message = f"Kafka does not accept the user or the password: {_connection_errors.refusal}"
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


def client_options(settings: Kafka, password: str) -> dict[str, Any]:
    """Return the options common to all clients: servers, authentication and timeouts."""
    return {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": "SASL_SSL",
        "ssl_cafile": settings.ca_file,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": settings.user,
        "sasl_plain_password": password,
        "bootstrap_timeout_ms": CALL_MS,
        "request_timeout_ms": CALL_MS,
        "reconnect_backoff_max_ms": 2_000,
    }


def connect_producer(settings: Kafka, password: str, *, linger_ms: int, batch_bytes: int = 131_072) -> KafkaProducer:
    """Return an idempotent producer with acks=all. A send that is not acknowledged within 60 s fails.

    Raises:
        Unavailable: Kafka does not answer.
        QuartetError: CREDENTIALS.
    """
    with translate_errors():
        return KafkaProducer(
            **client_options(settings, password),
            enable_idempotence=True,
            acks="all",
            linger_ms=linger_ms,
            batch_size=batch_bytes,
            max_block_ms=CALL_MS,
            delivery_timeout_ms=60_000,
            max_request_size=LARGEST_DEAD_LETTER,
            partitioner=KeyPartitioner(),
        )


def connect_admin(settings: Kafka, password: str) -> KafkaAdminClient:
    """Return an admin client.

    Raises:
        Unavailable: Kafka does not answer.
        QuartetError: CREDENTIALS.
    """
    with translate_errors():
        return KafkaAdminClient(**client_options(settings, password))


def connect_reader(settings: Kafka, password: str, *, partition_bytes: int = LARGEST_DEAD_LETTER) -> KafkaConsumer:
    """Return a consumer without a group, which never commits and asks for so many bytes of each partition at a time.

    Raises:
        Unavailable: Kafka does not answer.
        QuartetError: CREDENTIALS.
    """
    with translate_errors():
        return KafkaConsumer(
            **client_options(settings, password),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            max_poll_records=5_000,
            max_partition_fetch_bytes=partition_bytes,
        )


def topic_id(settings: Kafka, password: str, topic: str) -> str:
    """Return the id of a topic. A topic that was deleted and created again has another id, and its offsets start at 0 again.

    Raises:
        Unavailable: Kafka does not answer, or there is no such topic yet.
        QuartetError: CREDENTIALS.
    """
    admin = connect_admin(settings, password)
    try:
        with translate_errors():
            found = admin.describe_topics([topic])
    finally:
        admin.close()
    description = found[0] if isinstance(found, list) else found[topic]
    if description.get("error_code"):
        raise Unavailable("kafka", f"topic {topic} does not exist")
    return str(description["topic_id"])
