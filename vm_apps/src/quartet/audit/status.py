"""`quartet status`: the lag of every reader, the stored, refused and counted images, and the servers."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quartet.audit import reader, watch
from quartet.audit.decoding import dead_letter_records
from quartet.audit.evidence import Offsets, Result, TopicRange, uncounted, unread
from quartet.runtime import settings
from quartet.runtime.errors import ExitCode, exit_if_unavailable
from quartet.runtime.scrape import scrape

#: Where the apps of this VM serve their metrics.
METRICS_PORTS: Final = (9211, 9212, 9221, 9230, 9240, *range(9301, 9317))
_SHOWN: Final = ("quartet_build_info", "quartet_variant_info", "quartet_connected", "quartet_images_per_second")


@dataclass(frozen=True)
class PipelineStatus:
    """The state of the pipeline. The keys of `committed` are images, inference and inferences."""

    model: str
    topics: Mapping[str, TopicRange]
    images: str
    inferences: str
    dead_letters: str
    committed: Mapping[str, Offsets]
    stream: Sequence[Result]
    batch: Sequence[Result]
    stored: Mapping[str, int]
    refused: Mapping[str, int]
    versions: Mapping[str, str]

    def lags(self) -> dict[str, int]:
        """Return the number of unread records of each reader."""
        return {
            "images": unread(self.topics[self.images], self.committed.get("images", {})),
            "inference": unread(self.topics[self.images], self.committed.get("inference", {})),
            "inferences": unread(self.topics[self.inferences], self.committed.get("inferences", {})),
            "stream": uncounted(self.topics[self.inferences], self.stream),
        }


def unfinished_work(status: PipelineStatus) -> list[str]:
    """Return one line per reader that has unread records; empty if everything has drained."""
    names = {
        "images": "images to store",
        "inference": "images to classify",
        "inferences": "inferences to store",
        "stream": "inferences to count by the stream",
    }
    return [f"{lag} {names[reader]}" for reader, lag in status.lags().items() if lag]


def as_json(status: PipelineStatus) -> dict[str, Any]:
    """Return the status as `--json` prints it: records and unread records are numbers, `records` counts since the topics were made."""
    return {
        "model": status.model,
        "records": {
            "images": sum(status.topics[status.images].end.values()),
            "inferences": sum(status.topics[status.inferences].end.values()),
        },
        "unread": status.lags(),
        "stored": dict(status.stored),
        "pending": max(0, status.stored["images"] - status.stored["inferences"]),
        "refused": dict(status.refused),
        "wrong": {
            name: {str(r.producer_id): {"incorrect": r.incorrect, "counted": r.total, "model": r.model} for r in results}
            for name, results in (("stream", status.stream), ("batch", status.batch))
        },
        "versions": dict(status.versions),
    }


def lines(status: PipelineStatus) -> list[str]:
    """Format the status as lines of text."""
    records = {name: sum(extent.end.values()) - sum(extent.begin.values()) for name, extent in status.topics.items()}
    pending = status.stored["images"] - status.stored["inferences"]
    text = [f"{name:<12} {version}" for name, version in status.versions.items()]
    text += [f"{'topic':<12} {name}: {n:,} records in {len(status.topics[name].end)} partitions" for name, n in records.items()]
    text.append(
        f"{'stored':<12} {status.stored['images']:,} images, {status.stored['inferences']:,} inferences of {status.model}, "
        f"{max(0, pending):,} pending"
    )
    text.append(f"{'refused':<12} {', '.join(f'{n:,} {cause}' for cause, n in status.refused.items()) or 'nothing'}")
    text += [f"{'unread':<12} {reader}: {lag:,}" for reader, lag in status.lags().items()]
    for name, results in (("batch", status.batch), ("stream", status.stream)):
        text += [
            f"{name:<12} producer {r.producer_id}: {r.incorrect:,} of {r.total:,} wrong (model {r.model})"
            for r in sorted(results, key=lambda r: r.producer_id)
        ]
    return text


def metrics_lines(texts: Iterable[str]) -> list[str]:
    """Select the metrics to show from the metrics of this VM's apps."""
    return [line for text in texts for line in text.splitlines() if line.startswith(_SHOWN)]


def read_status(auditor: reader.Auditor) -> PipelineStatus:
    """Query the servers. Commits are read before end offsets, so that the status never shows a topic as drained that is not."""
    topics = auditor.settings.topics
    committed, stream = auditor.committed(), auditor.stream()
    _, letters = auditor.read_topic(topics.dead_letters)
    causes = Counter(letter.cause for letter in dead_letter_records(letters))
    return PipelineStatus(
        model=auditor.settings.model,
        topics=auditor.ranges(topics.images, topics.inferences, topics.dead_letters),
        images=topics.images,
        inferences=topics.inferences,
        dead_letters=topics.dead_letters,
        committed=committed,
        stream=stream,
        batch=auditor.batch(),
        stored=auditor.counts(),
        refused=dict(sorted(causes.items())),
        versions=auditor.versions(),
    )


def _local_metrics(tls: settings.MetricsTls | None) -> Iterable[str]:
    for port in METRICS_PORTS:
        try:
            yield scrape(port, tls, seconds=1)
        except OSError:  # no such app on this VM
            continue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet status`."""
    parser.add_argument("--config", required=True, metavar="FILE", help="the auditor's settings (JSON)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the status as JSON")
    form.add_argument("--watch", action="store_true", help="show rates, lags, units and alerts every two seconds until Ctrl-C")
    form.add_argument(
        "--drained", action="store_true", help="exit with 1 and list the remaining work unless everything was read and counted"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the status, or whether everything has drained."""
    options = settings.load(settings.AuditorSettings, arguments.config)
    if arguments.watch:
        return watch.run(options)
    with exit_if_unavailable():
        status = read_status(reader.Auditor(options))
    if arguments.json:
        print(json.dumps(as_json(status)))
        return ExitCode.OK
    if arguments.drained:
        remaining = unfinished_work(status)
        print("left: " + ", ".join(remaining) if remaining else "drained")
        return ExitCode.FAILED if remaining else ExitCode.OK
    print("\n".join([*lines(status), *metrics_lines(_local_metrics(options.metrics_tls))]))
    return ExitCode.OK
