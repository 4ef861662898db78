"""Which failures of the query end the job, by what Spark 4.2 prints."""

from __future__ import annotations

import pytest
from quartet.runtime.errors import ExitCode, Unavailable
from quartet_spark import failures

UNREADABLE = """[STREAM_FAILED] Query [id = 4fc1, runId = 014a] terminated with exception: Failed to read log file \
file:/var/lib/quartet-spark/stream/checkpoint/commits/2. Incomplete log file in the offset commit log SQLSTATE: XXKST
=== Streaming Query ===
Identifier: [id = 4fc1, runId = 014a]
"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (UNREADABLE, ExitCode.INPUT),
        ("org.apache.kafka.common.errors.SaslAuthenticationException: no", ExitCode.CREDENTIALS),
        ("[KAFKA_DATA_LOSS] some data may have been missed", ExitCode.DATA_LOST),
    ],
)
def test_what_waiting_does_not_fix_ends_the_job(text: str, code: ExitCode) -> None:
    verdict = failures.fatal_error(text, None)
    assert verdict is not None
    assert verdict.code is code


def test_an_unreadable_checkpoint_names_the_file_the_cause_and_the_remedy() -> None:
    verdict = str(failures.fatal_error(UNREADABLE, None))
    for word in ("/stream/checkpoint/commits/2", "power loss", "quartet_stream_rebuild=true"):
        assert word in verdict


def test_what_the_driver_raised_goes_first() -> None:
    reason = failures.inconsistent_results("another")
    assert failures.fatal_error(UNREADABLE, reason) is reason


def test_what_passes_by_itself_is_waited_for() -> None:
    assert failures.fatal_error("java.net.ConnectException: Connection refused", None) is None
    assert failures.fatal_error("the query ended", Unavailable("mongodb", "no answer")) is None
