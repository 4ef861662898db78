"""What the stream's checkpoint folder says: whether it counts already, and up to which offsets a batch goes.

Spark writes `offsets/<batch>` before a batch runs and `commits/<batch>` after it, each a version line, then JSON lines. It renames
them into place and does not sync them, so that a power loss may leave the newest ones empty; Spark cannot go on from such a folder.
"""

from __future__ import annotations

import json
from pathlib import Path

from quartet.runtime.errors import QuartetError

from quartet_spark import failures

VERSION = "v1"
#: Numbered files that Spark reads at a start: those of the last batch and of the one before it
_NEWEST = 2


def is_begun(directory: str) -> bool:
    """Whether a batch was ever planned; only then may results exist."""
    return bool(_numbers(Path(directory, "offsets")))


def last_committed(directory: str) -> int | None:
    """Return the number of the last batch whose state and results are complete; None before the first."""
    return next(iter(_numbers(Path(directory, "commits"))), None)


def refuse_empty_files(directory: str) -> None:
    """See that a power loss left none of the files empty that Spark reads at a start.

    Raises:
        QuartetError: INPUT, one is; the message names it and the remedy.
    """
    logs = [Path(directory, "offsets"), Path(directory, "commits"), *Path(directory, "sources").glob("*")]
    files = [Path(directory, "metadata"), *(log / str(number) for log in logs for number in _numbers(log)[:_NEWEST])]
    for file in files:
        # a file system may also give back the length without the content
        if file.exists() and not file.read_bytes().strip(b"\0\n "):
            raise failures.inconsistent_results(f"{file} is empty, as a power loss leaves a file that was just written")


def end_offsets(directory: str, batch: int, topic: str) -> dict[str, int]:
    """Return, by partition, the offset before which everything is counted once the batch is.

    Raises:
        QuartetError: INPUT, the file is not there, is damaged, or is of another version or of another topic.
    """
    file = Path(directory, "offsets", str(batch))
    try:
        version, *lines = file.read_text().splitlines()
        if version != VERSION:
            raise failures.inconsistent_results(f"{file} is of version {version}, this program reads {VERSION}")
        offsets = json.loads(lines[-1])
        if set(offsets) != {topic}:
            raise failures.inconsistent_results(f"{file} is about {', '.join(sorted(offsets))}, not about {topic}")
        return {partition: int(offset) for partition, offset in sorted(offsets[topic].items(), key=lambda item: int(item[0]))}
    except QuartetError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise failures.inconsistent_results(f"{file} is not what Spark wrote for batch {batch}: {error}") from None


def _numbers(folder: Path) -> list[int]:
    """Return the batches that a folder has a file for, the newest first."""
    if not folder.is_dir():
        return []
    return sorted((int(file.name) for file in folder.iterdir() if file.name.isdigit()), reverse=True)
