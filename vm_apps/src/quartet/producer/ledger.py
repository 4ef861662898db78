"""A producer's durable record of one run: which sequences it may have sent, which ones Kafka acknowledged, and the digests of the images.

Three files: `ledger-<producer>-<run>.json` (the settings that the run is bound to and the high-water mark: sequences below it may have
been sent), `.acks` (one byte per sequence, 1 = acknowledged) and `.sha256` (32 bytes per sequence: digest of the payload). The mark and
the digests are on disk before a sequence is sent; acknowledgements are on disk before the run is marked as finished.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from quartet.runtime.durable import replace_file
from quartet.runtime.errors import ExitCode, QuartetError

_DIGEST_BYTES: Final = 32


class Ledger:
    """The ledger of a producer's run. `binding`: the settings that determine the images; it must equal that of the start of the run."""

    def __init__(self, directory: Path, producer_id: int, run: str, binding: Mapping[str, Any]) -> None:
        self._file = directory / f"ledger-{producer_id}-{run}.json"
        self._state: dict[str, Any] = {"producer_id": producer_id, "run": run, "binding": dict(binding), "high_water": 0, "finished": None}
        if self._file.exists():
            self._state = json.loads(self._file.read_bytes())
            self._check_binding(binding)
        self._acks = _open(self._file.with_suffix(".acks"))
        self._digests = _open(self._file.with_suffix(".sha256"))
        self._acknowledged = bytearray(os.pread(self._acks, self.high_water, 0).ljust(self.high_water, b"\0"))
        # The range of sequences that contains all acknowledgements not yet on disk
        self._unsynced = (self.high_water, 0)

    @property
    def high_water(self) -> int:
        """Sequences below it may have been sent."""
        return int(self._state["high_water"])

    @property
    def finished(self) -> int | None:
        """The count with which the run was finished; None if it is not finished."""
        return None if self._state["finished"] is None else int(self._state["finished"])

    def reserve(self, first: int, digests: list[bytes]) -> None:
        """Record durably that the sequences from `first` on may be sent, with the digests of their payloads.

        Raises:
            QuartetError: INPUT, a sequence has another image than when it was first sent.
        """
        end = first + len(digests)
        known = min(self.high_water, end) - first
        if known > 0:
            before = os.pread(self._digests, known * _DIGEST_BYTES, first * _DIGEST_BYTES)
            if before != b"".join(digests[:known]):
                message = f"{self._file.name}: the data set has other images than when the run started; restore it or name a new run"
                raise QuartetError(ExitCode.INPUT, message)
        if end > self.high_water:
            os.pwrite(self._digests, b"".join(digests), first * _DIGEST_BYTES)
            os.fsync(self._digests)
            self._acknowledged.extend(bytes(end - len(self._acknowledged)))
            self._state["high_water"] = end
            self._write_state()

    def acknowledge(self, sequences: Sequence[int]) -> None:
        """Record that Kafka acknowledged these sequences; `sync` writes it to disk."""
        for sequence in sequences:
            self._acknowledged[sequence] = 1
        first, end = self._unsynced
        self._unsynced = (min(first, *sequences), max(end, max(sequences) + 1))

    def unacknowledged(self, end: int) -> Iterator[int]:
        """Yield the sequences below `end` that were not acknowledged."""
        at = self._acknowledged.find(0)
        while 0 <= at < min(end, len(self._acknowledged)):
            yield at
            at = self._acknowledged.find(0, at + 1)

    def sync(self) -> None:
        """Write the acknowledgements to disk and fsync them."""
        first, end = self._unsynced
        if first < end:
            os.pwrite(self._acks, self._acknowledged[first:end], first)
            os.fsync(self._acks)
            self._unsynced = (len(self._acknowledged), 0)

    def finish(self, count: int) -> None:
        """Record durably that the run is complete with `count` images."""
        self.sync()
        self._state["finished"] = count
        self._write_state()

    def close(self) -> None:
        """Write the acknowledgements to disk and close the files."""
        self.sync()
        os.close(self._acks)
        os.close(self._digests)

    def _check_binding(self, binding: Mapping[str, Any]) -> None:
        kept = self._state["binding"]
        differing = sorted(name for name in {*kept, *binding} if kept.get(name) != binding.get(name))
        if differing:
            changes = ", ".join(f"{name} was {kept.get(name)!r} and is {binding.get(name)!r}" for name in differing)
            name = f"run {self._state['run']} of producer {self._state['producer_id']}"
            message = f"{name} was started with other settings: {changes}. Name a new run"
            raise QuartetError(ExitCode.INPUT, message)

    def _write_state(self) -> None:
        replace_file(self._file, json.dumps(self._state).encode())


def export(directory: Path) -> list[dict[str, Any]]:
    """Return all ledgers of a state directory.

    Each: producer_id, run, high_water, finished, dataset (the binding of the run), acknowledged (ranges [first, end)), and
    payload_sha256: base64 of the zlib-compressed digests, 32 bytes per sequence.
    """
    found = []
    for file in sorted(directory.glob("ledger-*.json")):
        state = json.loads(file.read_bytes())
        acks = file.with_suffix(".acks").read_bytes()[: state["high_water"]]
        digests = file.with_suffix(".sha256").read_bytes()[: state["high_water"] * _DIGEST_BYTES]
        found.append(
            {
                "producer_id": state["producer_id"],
                "run": state["run"],
                "high_water": state["high_water"],
                "finished": state["finished"],
                "dataset": state["binding"],
                "acknowledged": _ranges(acks),
                "payload_sha256": base64.b64encode(zlib.compress(digests, 1)).decode(),
            }
        )
    return found


def payload_digests(ledger: Mapping[str, Any]) -> list[str]:
    """Return the hex digest of each sequence's payload from an exported ledger."""
    digests = zlib.decompress(base64.b64decode(ledger["payload_sha256"]))
    return [digests[at : at + _DIGEST_BYTES].hex() for at in range(0, len(digests), _DIGEST_BYTES)]


def _ranges(acks: bytes) -> list[tuple[int, int]]:
    ranges = []
    first = acks.find(1)
    while first >= 0:
        end = acks.find(0, first)
        end = len(acks) if end < 0 else end
        ranges.append((first, end))
        first = acks.find(1, end)
    return ranges


def _open(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
