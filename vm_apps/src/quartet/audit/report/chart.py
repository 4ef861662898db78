"""The chart of wrong inferences, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from quartet.audit.report.formats import Document, count, percent


def draw(producers: Sequence[Document]) -> bytes:
    """Draw the share of wrong inferences of each producer by batch, stream and recount; return a PNG."""
    figure = Figure(figsize=(8, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for i, (name, colour) in enumerate((("batch", "#4678c8"), ("stream", "#e08a2c"), ("recount", "#7a7a7a"))):
        shares = [percent(row[f"{name}_incorrect"], row[f"{name}_total"]) for row in producers]
        bars = axes.bar([x + 0.27 * (i - 1) for x in range(len(producers))], shares, 0.25, label=name, color=colour)
        labels = [count(row[f"{name}_incorrect"]) for row in producers]
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
