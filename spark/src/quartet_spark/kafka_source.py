"""Options of Spark's Kafka source: TLS and SCRAM-SHA-512, from the earliest offset, failing on data loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quartet.runtime.settings import Kafka

GROUP_PREFIX = "spark-stream"
# The source itself retries the driver's calls; an unavailable broker must not block the job's loop for a minute.
TIMEOUT_MS = "10000"


def options(settings: Kafka, password: str, topic: str, max_offsets_per_trigger: int) -> dict[str, str]:
    """Return the options of the source. One of them contains the password: pass them only to the reader."""
    return {
        "kafka.bootstrap.servers": ",".join(settings.bootstrap_servers),
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.mechanism": "SCRAM-SHA-512",
        "kafka.sasl.jaas.config": _jaas(settings.user, password),
        "kafka.ssl.truststore.type": "PEM",
        "kafka.ssl.truststore.location": settings.ca_file,
        "kafka.request.timeout.ms": TIMEOUT_MS,
        "kafka.default.api.timeout.ms": TIMEOUT_MS,
        "subscribe": topic,
        "startingOffsets": "earliest",
        "failOnDataLoss": "true",
        "maxOffsetsPerTrigger": str(max_offsets_per_trigger),
        "groupIdPrefix": GROUP_PREFIX,
    }


def _jaas(user: str, password: str) -> str:
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"') for text in (user, password)]
    return f'org.apache.kafka.common.security.scram.ScramLoginModule required username="{quoted[0]}" password="{quoted[1]}";'
