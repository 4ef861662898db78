"""The producers' ledgers, as `quartet ledger export` prints them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quartet.audit.evidence import Ledger
from quartet.counting.sequences import SeenSequences
from quartet.runtime.errors import ExitCode, QuartetError


def ledger(exported: Mapping[str, Any]) -> Ledger:
    """Convert one ledger of `quartet ledger export`."""
    acknowledged = SeenSequences(s for first, end in exported["acknowledged"] for s in range(first, end))
    return Ledger(
        producer_id=exported["producer_id"],
        run=exported["run"],
        high_water=exported["high_water"],
        acknowledged=acknowledged,
        finished=exported.get("finished"),
        digests=zlib.decompress(base64.b64decode(exported.get("payload_sha256") or base64.b64encode(zlib.compress(b"")))),
        dataset=exported.get("dataset") or {},
    )


def read_ledgers(file: str | Path) -> Iterator[Ledger]:
    """Yield the exported ledgers of all producers; one at a time, because the digests of a million images are 32 MB.

    Raises:
        QuartetError: INPUT, the file is missing or is not such an export.
    """
    try:
        exported: list[Any] = json.loads(Path(file).read_bytes())
        for place, one in enumerate(exported):
            exported[place] = None
            yield ledger(one)
    except (OSError, ValueError, TypeError, KeyError, zlib.error) as error:
        raise QuartetError(ExitCode.INPUT, f"cannot read the ledgers {file}: {type(error).__name__} {error}") from None
