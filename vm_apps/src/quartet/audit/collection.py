"""Collects the evidence of the servers and the ledgers into a file, in bounded batches.

The order of reading allows judging a live system: first the promises (ledgers, commits), then what must exist because of them, each before
its source (documents, inferences, images). What arrives in between can only appear as surplus, never as missing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quartet.audit.decoding import Decoded, dead_letter_records, image_records, inference_records
from quartet.audit.evidence_file import BATCH, MEMORY_LIMIT, EvidenceFile, batches
from quartet.audit.ledgers import read_ledgers
from quartet.audit.reader import Auditor
from quartet.audit.workspace import require_space, work_folder
from quartet.runtime.errors import exit_if_unavailable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the commands that collect evidence."""
    parser.add_argument("--config", required=True, metavar="FILE", help="the auditor's settings (JSON)")
    parser.add_argument("--ledgers", required=True, metavar="FILE", type=Path, help="output of `quartet ledger export`")
    parser.add_argument(
        "--work", metavar="DIR", type=Path, help="folder for the evidence while the command runs (default: the folder of the ledgers)"
    )


@contextmanager
def collected_evidence(auditor: Auditor, ledgers: Path, work: Path | None, *, memory_limit: str = MEMORY_LIMIT) -> Iterator[EvidenceFile]:
    """Yield the evidence, ready to be judged; its file is in the folder `work` (None: the folder of the ledgers) and removed at the end.

    Raises:
        QuartetError: INPUT, the ledgers; CREDENTIALS; UNAVAILABLE, a server does not answer; DISK.
    """
    with work_folder(work or ledgers.absolute().parent) as folder, exit_if_unavailable():
        evidence = EvidenceFile(folder, memory_limit=memory_limit)
        try:
            for ledger in read_ledgers(ledgers):
                evidence.add_ledger(ledger)
            require_space(folder, _images(auditor))
            collect(auditor, evidence)
            evidence.derive()
            yield evidence
        finally:
            evidence.close()


def collect(auditor: Auditor, evidence: EvidenceFile) -> None:
    """Collect what the servers have.

    Raises:
        Unavailable: a server does not answer.
        QuartetError: CREDENTIALS; INPUT, a topic does not exist; DISK.
    """
    topics = auditor.settings.topics
    evidence.describe(
        taken_at=time.time_ns() // 1000, model=auditor.settings.model, images_topic=topics.images, inferences_topic=topics.inferences
    )
    evidence.add_committed(auditor.committed())
    evidence.add_rows(auditor.log_cuts())
    evidence.add_results("stream", auditor.stream())
    evidence.add_results("batch", auditor.batch())
    evidence.add_rows(auditor.stored_images())
    evidence.add_rows(auditor.stored_inferences())
    extent, letters = auditor.read_topic(topics.dead_letters)
    evidence.add_range(topics.dead_letters, extent)
    for batch in batches(letters, BATCH):
        evidence.add_rows(dead_letter_records(batch))
    extent, log = auditor.read_topic(topics.inferences)
    evidence.add_range(topics.inferences, extent)
    add_log(evidence, "inferences", inference_records, log)
    extent, log = auditor.read_topic(topics.images)
    evidence.add_range(topics.images, extent)
    add_log(evidence, "images", image_records, log)
    evidence.add_versions(auditor.versions())


def add_log(evidence: EvidenceFile, topic: str, decode: Callable[[Iterable[Any]], Decoded], records: Iterable[Any]) -> None:
    """Append the records of a topic: images or inferences."""
    for batch in batches(records, BATCH):
        good, bad = decode(batch)
        evidence.add_rows(good)
        evidence.add_bad_records(topic, bad)


def _images(auditor: Auditor) -> int:
    """Return the largest number of records or documents that one image's stage has."""
    topics = auditor.settings.topics
    extents = auditor.ranges(topics.images, topics.inferences).values()
    return max([*auditor.counts().values(), *(sum(one.end.values()) - sum(one.begin.values()) for one in extents)])
