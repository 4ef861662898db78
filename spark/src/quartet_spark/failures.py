"""Classifies failures of a running query: transient ones, and those that an operator must fix."""

from __future__ import annotations

from quartet.runtime.errors import ExitCode, QuartetError

_CREDENTIALS = ("SaslAuthenticationException", "TopicAuthorizationException", "GroupAuthorizationException")
# What Spark says of a file of the checkpoint that it cannot make sense of
_DAMAGED_CHECKPOINT = "Failed to read log file"
_REBUILD = "order a stream_rebuild (site.yml -e quartet_stream_rebuild=true), which counts again from the earliest offset"
_DATA_LOST = ("failOnDataLoss", "KAFKA_DATA_LOSS", "OffsetOutOfRangeException", "some data may have been missed")


def fatal_error(text: str, cause: BaseException | None) -> QuartetError | None:
    """Return the error that must end the job; None if the query should be restarted after a wait.

    Args:
        text: the query's exception as Spark prints it.
        cause: what was raised in the driver while results were written, if anything was.
    """
    if isinstance(cause, QuartetError):
        return cause
    # Checked first: Spark also reports an unauthorised client as one that lost its partitions.
    if any(name in text for name in _CREDENTIALS):
        return QuartetError(ExitCode.CREDENTIALS, f"Kafka refuses the user: {summarize(text)}")
    if any(name in text for name in _DATA_LOST):
        message = "records of the topic were deleted before they were counted, or the topic was recreated"
        return QuartetError(ExitCode.DATA_LOST, f"{message}; a stream_rebuild counts the remaining records: {summarize(text)}")
    if _DAMAGED_CHECKPOINT in text:
        return inconsistent_results(f"Spark cannot read its checkpoint, as after a power loss: {summarize(text)}")
    return None


def inconsistent_results(reason: str) -> QuartetError:
    """Return the error for results that do not match the checkpoint: continuing would give wrong counts."""
    return QuartetError(ExitCode.INPUT, f"{reason}; {_REBUILD}")


def summarize(text: str) -> str:
    """Return the first line and the root cause of a Java stack trace, as one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("at ", "...", "==="))]
    causes = [line for line in lines if line.startswith("Caused by:")]
    return " | ".join([*lines[:1], *causes[-1:]])[:500]
