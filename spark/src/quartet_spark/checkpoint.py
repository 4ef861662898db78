"""What the stream's checkpoint folder says: whether it counts already, and up to which offsets a batch goes.

Spark writes `offsets/<batch>` before a batch runs and `commits/<batch>` after it, each a version line, then JSON lines.
"""

from __future__ import annotations

import json
from pathlib import Path

VERSION = "v1"


class CheckpointError(ValueError):
    """The folder holds what this program cannot read."""


def is_begun(directory: str) -> bool:
    """Whether a batch was ever planned; only then may results exist."""
    return _last(Path(directory, "offsets")) is not None


def last_committed(directory: str) -> int | None:
    """Return the number of the last batch whose state and results are complete; None before the first."""
    return _last(Path(directory, "commits"))


def end_offsets(directory: str, batch: int, topic: str) -> dict[str, int]:
    """Return, by partition, the offset before which everything is counted once the batch is.

    Raises:
        CheckpointError: the file is of another version or of another topic.
    """
    file = Path(directory, "offsets", str(batch))
    version, *lines = file.read_text().splitlines()
    if version != VERSION:
        raise CheckpointError(f"{file} is of version {version}, this program reads {VERSION}")
    offsets = json.loads(lines[-1])
    if set(offsets) != {topic}:
        raise CheckpointError(f"{file} is about {', '.join(sorted(offsets))}, not about {topic}")
    return {partition: int(offset) for partition, offset in sorted(offsets[topic].items(), key=lambda item: int(item[0]))}


def _last(folder: Path) -> int | None:
    if not folder.is_dir():
        return None
    return max((int(file.name) for file in folder.iterdir() if file.name.isdigit()), default=None)
