"""`quartet report`: one HTML page that needs nothing beside itself, plus a CSV and a chart, from what `verify` found.

The figures are the judge's own (`quartet verify --json`); only the sample images are fetched from the database here.
"""

from __future__ import annotations

import argparse
import base64
import csv
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from quartet.audit import reader
from quartet.mongodb import client as mongodb_client
from quartet.runtime import settings
from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.version import VERSION

Document = Mapping[str, Any]

SAMPLES: Final = 10
"""Images shown of each producer, wrong ones first."""

_CSV_FIELDS: Final = (
    "producer_id",
    "sent",
    "acknowledged",
    "stored",
    "inferred",
    "pending",
    "refused",
    "batch_total",
    "batch_incorrect",
    "stream_total",
    "stream_incorrect",
    "recount_total",
    "recount_incorrect",
)
_STYLE: Final = """
:root { color-scheme: light dark; --line: #8886; --good: #1a7f4b; --bad: #c0392b; --wait: #a66a00; --accent: 70, 120, 200 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.2rem } p.when { margin-top: .2rem; opacity: .75 }
.scroll { overflow-x: auto } table { border-collapse: collapse } th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line) }
td { font-variant-numeric: tabular-nums } .n td, .n th { text-align: right } th { font-weight: 600 }
.holds { color: var(--good) } .broken { color: var(--bad); font-weight: 600 } .pending { color: var(--wait) }
.matrix td { text-align: right; min-width: 2.2rem } .matrix th { text-align: right; font-weight: 400 }
.samples { display: flex; flex-wrap: wrap; gap: .8rem } figure { margin: 0; width: 5.6rem; font-size: .78rem; line-height: 1.3 }
figure img { width: 96px; height: 96px; image-rendering: pixelated; max-width: 100% } img.chart { max-width: 100% }
ul { padding-left: 1.2rem } small { opacity: .75 }
"""


@dataclass(frozen=True)
class Sample:
    """A stored image and what the model said of it."""

    id: str
    payload: bytes
    truth: str | None
    prediction: str | None
    confidence: float | None


def png(payload: bytes, scale: int = 3) -> bytes:
    """Return an image of 3,072 planar bytes as PNG, enlarged without smoothing."""
    pixels = np.frombuffer(payload, np.uint8).reshape(3, 32, 32).transpose(1, 2, 0)
    out = io.BytesIO()
    Image.fromarray(pixels).resize((32 * scale, 32 * scale), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


def chart(producers: Sequence[Document]) -> bytes:
    """Draw, as PNG, the share of wrong inferences of each producer by batch, stream and recount."""
    figure = Figure(figsize=(8, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for i, (name, colour) in enumerate((("batch", "#4678c8"), ("stream", "#e08a2c"), ("recount", "#7a7a7a"))):
        shares = [_percent(row[f"{name}_incorrect"], row[f"{name}_total"]) for row in producers]
        bars = axes.bar([x + 0.27 * (i - 1) for x in range(len(producers))], shares, 0.25, label=name, color=colour)
        labels = [_count(row[f"{name}_incorrect"]) for row in producers]
        axes.bar_label(bars, labels, padding=2, fontsize=8)
    axes.set_xticks(range(len(producers)), [str(row["producer_id"]) for row in producers])
    axes.set_xlabel("producer")
    axes.set_ylabel("wrong inferences, % of counted images")
    axes.set_title("Wrong inferences per producer (number above the bar)" if producers else "Nothing is counted yet")
    axes.margins(y=0.15)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    if producers:
        axes.legend(frameon=False)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def table_csv(producers: Sequence[Document]) -> str:
    """Return one line a producer."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV_FIELDS)
    writer.writerows([row[name] for name in _CSV_FIELDS] for row in producers)
    return out.getvalue()


def text(verdict: Document) -> str:
    """Return the table for the terminal."""
    heads = ("producer", "images", "batch wrong", "stream wrong", "recount wrong", "accuracy")
    rows: list[tuple[str, ...]] = [heads]
    for row in verdict["producers"]:
        counts = (_count(row[f"{name}_incorrect"]) for name in ("batch", "stream", "recount"))
        rows.append((str(row["producer_id"]), f"{row['recount_total']:,}", *counts, _accuracy(row)))
    widths = [max(len(line[i]) for line in rows) for i in range(len(heads))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in rows]
    return "\n".join([*lines, _verdict_line(verdict)])


def page(verdict: Document, samples: Mapping[int, Sequence[Sample]], datasets: Sequence[str]) -> str:
    """Return the whole page. Everything that is not a number is escaped."""
    figures = verdict["figures"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Quartet report</title><style>{_STYLE}</style>",
        "<h1>Quartet</h1>",
        f"<p class=when>{_time(verdict['taken_at'])} · model {_e(verdict['model'])} · "
        f"<span class={'holds' if verdict['holds'] else 'broken'}>{_e(_verdict_line(verdict))}</span></p>",
        "<h2>Wrong inferences per producer</h2>",
        _inline(chart(verdict["producers"]), "wrong inferences per producer", "chart"),
        _counts(verdict["producers"]),
        "<h2>What was verified</h2>",
        _rules(verdict["rules"]),
        "<h2>Speed</h2>",
        _speed(figures["runs"]),
        "<h2>Confusion matrix</h2>",
        *(_matrix(name, matrix, figures["labels"]) for name, matrix in figures["confusion"].items()),
        "<h2>Sample images</h2><p>Wrong ones first: prediction, then the truth where it differs.</p>",
        *(_samples(producer_id, some) for producer_id, some in sorted(samples.items())),
        "<h2>What ran where</h2>",
        _pairs({**verdict["versions"], **{f"data set {i}": d for i, d in enumerate(datasets, 1)}, "quartet": VERSION}),
        "</html>",
    ]
    return "\n".join(parts)


def _counts(producers: Sequence[Document]) -> str:
    heads = ("producer", "sent", "stored", "inferred", "pending", "refused", "batch", "stream", "recount", "accuracy")
    rows = []
    for row in producers:
        counts = [f"{_count(row[f'{n}_incorrect'])} / {_count(row[f'{n}_total'])}" for n in ("batch", "stream", "recount")]
        numbers = [_count(row[name]) for name in ("sent", "stored", "inferred", "pending", "refused")]
        rows.append([str(row["producer_id"]), *numbers, *counts, _accuracy(row)])
    return _table(heads, rows, "n") + "<p><small>batch, stream, recount: wrong / counted images</small></p>"


def _rules(rules: Sequence[Document]) -> str:
    items = []
    for rule in rules:
        details = "".join(f"<br><small>{_e(line)}</small>" for line in (*rule["broken"], *rule["pending"], *rule["notes"]))
        items.append(f"<li value={rule['number']}>{_e(rule['title'])}: <span class={_e(rule['state'])}>{_e(rule['state'])}</span>{details}")
    return f"<ol>{''.join(items)}</ol>"


def _speed(runs: Sequence[Document]) -> str:
    heads = ("run", "images", "produced/s", "stored/s", "inferred/s", "to inferred p50", "p95", "to stored p50", "p95")
    rows = [
        [
            _e(run["run"]),
            _count(run["images"]),
            *(_rate(run[f"{name}_per_second"]) for name in ("produced", "stored", "inferred")),
            *(_ms(run["captured_to_inferred"][name]) for name in ("p50_ms", "p95_ms")),
            *(_ms(run["captured_to_stored"][name]) for name in ("p50_ms", "p95_ms")),
        ]
        for run in runs
    ]
    note = "Times run from capture. A producer without a rate limit is faster than what follows it, so they hold the wait in Kafka."
    return _table(heads, rows, "n") + f"<p><small>{note}</small></p>"


def _matrix(name: str, matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    title = "all producers" if name == "all" else f"producer {name}"
    body = ["<tr><th>true ↓ predicted →</th>" + "".join(f"<th>{_e(label)}</th>" for label in labels) + "</tr>"]
    for i, (label, row) in enumerate(zip(labels, matrix, strict=True)):
        most = max(1, sum(row))
        cells = []
        for j, n in enumerate(row):
            colour = "26,127,75" if i == j else "192,57,43"
            cells.append(f"<td style='background:rgba({colour},{0.75 * n / most:.2f})'>{n or '·'}</td>")
        body.append(f"<tr><th>{_e(label)}</th>{''.join(cells)}</tr>")
    opened = " open" if name == "all" else ""
    table = f"<div class=scroll><table class=matrix>{''.join(body)}</table></div>"
    return f"<details{opened}><summary>{_e(title)}</summary>{table}</details>"


def _samples(producer_id: int, samples: Sequence[Sample]) -> str:
    figures = []
    for sample in samples:
        said = "not classified yet" if sample.prediction is None else f"{sample.prediction} {sample.confidence or 0:.2f}"
        right = sample.truth is None or sample.truth == sample.prediction
        truth = "no label" if sample.truth is None else ("" if right else f"is {sample.truth}")
        caption = f"<span class={'holds' if right else 'broken'}>{_e(said)}</span><br>{_e(truth)}"
        figures.append(
            f"<figure title='{_e(sample.id)}'>{_inline(png(sample.payload), sample.id)}<figcaption>{caption}</figcaption></figure>"
        )
    return f"<h3>producer {producer_id}</h3><div class=samples>{''.join(figures)}</div>"


def _pairs(pairs: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><th>{_e(name)}</th><td>{_e(value)}</td></tr>" for name, value in pairs.items())
    return f"<div class=scroll><table>{rows}</table></div>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], css: str) -> str:
    head = "".join(f"<th>{_e(h)}</th>" for h in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class=scroll><table class={css}><tr>{head}</tr>{body}</table></div>"


def _inline(data: bytes, alt: str, css: str = "") -> str:
    return f"<img class='{css}' alt='{_e(alt)}' src='data:image/png;base64,{base64.b64encode(data).decode()}'>"


def _e(value: object) -> str:
    return html.escape(str(value), quote=True)


def _percent(incorrect: int | None, total: int | None) -> float:
    return 100 * incorrect / total if incorrect is not None and total else 0.0


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:,.1f}"


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:,.1f} ms"


def _accuracy(row: Document) -> str:
    total = row["recount_total"]
    return f"{1 - row['recount_incorrect'] / total:.3f}" if total else "-"


def _time(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _verdict_line(verdict: Document) -> str:
    if not verdict["holds"]:
        return "broken: " + ", ".join(str(rule["number"]) for rule in verdict["rules"] if rule["state"] == "broken")
    return "verified: stream = batch = recount" if verdict["drained"] else "holds so far; not everything has arrived yet"


def fetch_samples(auditor: reader.Auditor, producers: Sequence[int]) -> dict[int, list[Sample]]:
    """Fetch a few images of each producer: wrong ones first, then right ones, the newest of each."""
    found: dict[int, list[Sample]] = {}
    for producer_id in producers:
        base = {"producer_id": producer_id, "model": auditor.settings.model}
        with mongodb_client.translated():
            newest = list(auditor.inference_collection.find(base).sort("_id", -1).limit(500))
            wrong = [d for d in newest if d.get("actual_value") not in (None, d["image_prediction"])]
            right = [d for d in newest if d.get("actual_value") in (None, d["image_prediction"])]
            few = wrong[: max(SAMPLES // 2, SAMPLES - len(right))]
            chosen = few + right[: SAMPLES - len(few)]
            images = {
                d["_id"]: d["image"] for d in auditor.image_collection.find({"_id": {"$in": [d["id"] for d in chosen]}}, {"image": 1})
            }
        found[producer_id] = [
            Sample(d["id"], images[d["id"]], d.get("actual_value"), d["image_prediction"], d["confidence"])
            for d in chosen
            if d["id"] in images
        ]
    return found


def _read_verdict(file: str) -> Any:
    try:
        verdict = json.loads(Path(file).read_bytes())
        if verdict["schema"] != "verify/1":
            raise ValueError(f"schema {verdict['schema']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise QuartetError(ExitCode.INPUT, f"{file} is not what `quartet verify --json` writes: {error}") from None
    return verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `quartet report`."""
    parser.add_argument("--config", required=True, metavar="FILE", help="the auditor's settings (JSON)")
    parser.add_argument("--ledgers", required=True, metavar="FILE", help="what `quartet ledger export` printed")
    parser.add_argument("--verify", required=True, metavar="FILE", help="what `quartet verify --json` wrote")
    parser.add_argument("--output", required=True, metavar="DIR", type=Path, help="folder for report.html, report.csv and report.png")


def run(arguments: argparse.Namespace) -> int:
    """Make the page, the CSV and the chart, and show the table."""
    options = settings.load(settings.AuditorSettings, arguments.config)
    verdict = _read_verdict(arguments.verify)
    datasets = [
        f"producer {one.producer_id}, run {one.run}: " + ", ".join(f"{name} {value}" for name, value in one.dataset.items())
        for one in reader.read_ledgers(arguments.ledgers)
    ]
    with reader.reachable():
        samples = fetch_samples(reader.Auditor(options), [row["producer_id"] for row in verdict["producers"]])
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "report.html").write_text(page(verdict, samples, datasets), encoding="utf-8")
    (arguments.output / "report.csv").write_text(table_csv(verdict["producers"]), encoding="utf-8")
    (arguments.output / "report.png").write_bytes(chart(verdict["producers"]))
    print(text(verdict))
    return ExitCode.OK
