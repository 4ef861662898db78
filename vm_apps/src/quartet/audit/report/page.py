"""The HTML page: a single file without external resources."""

from __future__ import annotations

import base64
import html
import importlib.resources
from collections.abc import Mapping, Sequence

from quartet.audit.report import chart
from quartet.audit.report.formats import Document, accuracy, count, duration, moment, rate, verdict_line
from quartet.audit.report.samples import Sample, png
from quartet.runtime.version import VERSION


def render(verdict: Document, samples: Mapping[int, Sequence[Sample]], datasets: Sequence[str]) -> str:
    """Render the page. Everything that is not a number is escaped."""
    figures = verdict["figures"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Quartet report</title><style>\n{_style()}</style>",
        "<h1>Quartet</h1>",
        f"<p class=when>{moment(verdict['taken_at'])} · model {_escape(verdict['model'])} · "
        f"<span class={'holds' if verdict['holds'] else 'broken'}>{_escape(verdict_line(verdict))}</span></p>",
        "<h2>Wrong inferences per producer</h2>",
        _inline_image(chart.draw(verdict["producers"]), "wrong inferences per producer", "chart"),
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


def _style() -> str:
    return importlib.resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")


def _counts(producers: Sequence[Document]) -> str:
    heads = ("producer", "sent", "stored", "inferred", "pending", "refused", "batch", "stream", "recount", "accuracy")
    rows = []
    for row in producers:
        counts = [f"{count(row[f'{n}_incorrect'])} / {count(row[f'{n}_total'])}" for n in ("batch", "stream", "recount")]
        numbers = [count(row[name]) for name in ("sent", "stored", "inferred", "pending", "refused")]
        rows.append([str(row["producer_id"]), *numbers, *counts, accuracy(row)])
    return _table(heads, rows, "n") + "<p><small>batch, stream, recount: wrong / counted images</small></p>"


def _rules(rules: Sequence[Document]) -> str:
    items = []
    for rule in rules:
        details = "".join(f"<br><small>{_escape(line)}</small>" for line in (*rule["broken"], *rule["pending"], *rule["notes"]))
        state = _escape(rule["state"])
        items.append(f"<li value={rule['number']}>{_escape(rule['title'])}: <span class={state}>{state}</span>{details}")
    return f"<ol>{''.join(items)}</ol>"


def _speed(runs: Sequence[Document]) -> str:
    heads = ("run", "images", "produced/s", "stored/s", "inferred/s", "to inferred p50", "p95", "to stored p50", "p95")
    rows = [
        [
            _escape(run["run"]),
            count(run["images"]),
            *(rate(run[f"{name}_per_second"]) for name in ("produced", "stored", "inferred")),
            *(duration(run["captured_to_inferred"][name]) for name in ("p50_ms", "p95_ms")),
            *(duration(run["captured_to_stored"][name]) for name in ("p50_ms", "p95_ms")),
        ]
        for run in runs
    ]
    note = "Times run from capture. A producer without a rate limit is faster than the consumers, so its times include the wait in Kafka."
    return _table(heads, rows, "n") + f"<p><small>{note}</small></p>"


def _matrix(name: str, matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    title = "all producers" if name == "all" else f"producer {name}"
    body = ["<tr><th>true ↓ predicted →</th>" + "".join(f"<th>{_escape(label)}</th>" for label in labels) + "</tr>"]
    for i, (label, row) in enumerate(zip(labels, matrix, strict=True)):
        largest = max(1, sum(row))
        cells = []
        for j, n in enumerate(row):
            colour = "26,127,75" if i == j else "192,57,43"
            cells.append(f"<td style='background:rgba({colour},{0.75 * n / largest:.2f})'>{n or '·'}</td>")
        body.append(f"<tr><th>{_escape(label)}</th>{''.join(cells)}</tr>")
    opened = " open" if name == "all" else ""
    table = f"<div class=scroll><table class=matrix>{''.join(body)}</table></div>"
    return f"<details{opened}><summary>{_escape(title)}</summary>{table}</details>"


def _samples(producer_id: int, samples: Sequence[Sample]) -> str:
    figures = []
    for sample in samples:
        said = "not classified yet" if sample.prediction is None else f"{sample.prediction} {sample.confidence or 0:.2f}"
        right = sample.truth is None or sample.truth == sample.prediction
        truth = "no label" if sample.truth is None else ("" if right else f"is {sample.truth}")
        caption = f"<span class={'holds' if right else 'broken'}>{_escape(said)}</span><br>{_escape(truth)}"
        figures.append(
            f"<figure title='{_escape(sample.id)}'>{_inline_image(png(sample.payload), sample.id)}"
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return f"<h3>producer {producer_id}</h3><div class=samples>{''.join(figures)}</div>"


def _pairs(pairs: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><th>{_escape(name)}</th><td>{_escape(value)}</td></tr>" for name, value in pairs.items())
    return f"<div class=scroll><table>{rows}</table></div>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], css: str) -> str:
    head = "".join(f"<th>{_escape(h)}</th>" for h in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class=scroll><table class={css}><tr>{head}</tr>{body}</table></div>"


def _inline_image(data: bytes, alt: str, css: str = "") -> str:
    return f"<img class='{css}' alt='{_escape(alt)}' src='data:image/png;base64,{base64.b64encode(data).decode()}'>"


def _escape(value: object) -> str:
    return html.escape(str(value), quote=True)
