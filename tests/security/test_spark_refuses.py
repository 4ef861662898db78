"""Spark: no job without the cluster's secret, none with a wrong one, no other way in than the master's port."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from phases import MACHINES, on_machine
from security.evidence import refused
from security.lab import journal, lines_of

_JOB = """
from pyspark.sql import SparkSession
settings = {"spark.app.name": "sec-refused", "spark.driver.host": "%(address)s", "spark.cores.max": "1",
    "spark.executor.memory": "512m", "spark.ui.enabled": "false", **%(settings)r}
builder = SparkSession.builder.master("spark://%(address)s:7077")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
print("REGISTERED", spark.sparkContext.parallelize(range(100), 4).sum())
"""
# As the product's own jobs run, but with another secret, or with none at all
_SUBMIT = """
set -eu
umask 077
cat > /run/sec-%(name)s.py << 'END'
%(job)s
END
chmod 0644 /run/sec-%(name)s.py
echo '%(option)s' > /run/sec-%(name)s.options
systemd-run --quiet --collect --unit=sec-%(name)s --property=User=quartet-spark --property=RuntimeMaxSec=180 --property=PrivateTmp=true \
  --property=LoadCredential=java-options:/run/sec-%(name)s.options --setenv=SPARK_HOME=/opt/quartet/spark-home \
  --setenv=SPARK_CONF_DIR=/etc/quartet/spark --setenv=JAVA_HOME=/opt/quartet/spark-java --setenv=PYSPARK_PYTHON=/opt/quartet/spark/current/bin/python \
  --working-directory=/ /opt/quartet/spark/current/bin/python /run/sec-%(name)s.py
"""
_TRIES = {
    "wrong": ("-Dspark.authenticate.secret=wrong", {}),
    "none": ("-Dsec=none", {"spark.authenticate": "false", "spark.network.crypto.enabled": "false"}),
}


@pytest.fixture(scope="module")
def submitted() -> Iterator[float]:
    """Submit both jobs side by side, and stop them afterwards; yields the time of submission."""
    since = time.time()
    try:
        for name, (option, settings) in _TRIES.items():
            job = _JOB % {"address": MACHINES["vm2"], "settings": settings}
            on_machine("vm2", _SUBMIT % {"name": name, "option": option, "job": job})
        yield since
    finally:
        for name in _TRIES:
            on_machine("vm2", f"systemctl stop sec-{name}; rm -f /run/sec-{name}.py /run/sec-{name}.options", check=False)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("wrong", r"Authentication failed for client \S+, closing channel"),
        ("none", r"Unexpected challenge message from client \S+, closing channel"),
    ],
)
def test_a_job_is_refused(submitted: float, name: str, pattern: str) -> None:
    (line,) = lines_of("vm2", "spark-master", submitted, pattern, seconds=120)
    refused(f"Spark job with {name} secret" if name == "wrong" else "Spark job without a secret", "spark-master", line)
    (said,) = lines_of(
        "vm2", f"sec-{name}", submitted, r"(?i)Authentication failed|Unknown challenge|Failed to connect to master", seconds=120
    )
    refused(f"  the same, in the job's own journal ({name})", "spark-master", said)
    assert not [line for line in journal("vm2", f"sec-{name}", submitted) if "REGISTERED" in line]
    assert not [line for line in journal("vm2", "spark-master", submitted) if "Registering app sec-refused" in line]


def test_the_master_has_no_other_open_port() -> None:
    """No REST submission, and the pages on loopback alone."""
    sockets = on_machine("vm2", "ss -Hltn | awk '{print $4}'").replace("[::ffff:", "").replace("]", "").split()
    assert not [address for address in sockets if address.endswith((":6066", ":4040", ":4041"))]
    assert {address for address in sockets if address.endswith((":8080", ":8081"))} == {"127.0.0.1:8080", "127.0.0.1:8081"}
    answer = on_machine(
        "vm2", "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 6066), 2)' 2>&1 | tail -n 1", check=False
    )
    assert "refused" in answer
    refused("Spark: submission over REST, port 6066", "nothing listens", answer)
