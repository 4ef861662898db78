"""The batch's CSV and chart, replaced atomically: a reader sees the old file or the new one."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quartet.counting.totals import Totals

CSV_NAME = "incorrect_inference_results.csv"
CHART_NAME = "incorrect_inference_results.png"


def write_csv(directory: Path, totals: Mapping[int, Totals], model: str) -> Path:
    """Write the CSV with one line per producer."""

    def fill(file: IO[bytes]) -> None:
        lines = [["producer_id", "incorrect_count", "total_count", "model"]]
        lines += [[str(id_), str(count.incorrect), str(count.total), model] for id_, count in sorted(totals.items())]
        with open(file.fileno(), "w", newline="", encoding="utf-8", closefd=False) as text:
            csv.writer(text, lineterminator="\n").writerows(lines)

    return _replace(directory / CSV_NAME, fill)


def write_chart(directory: Path, totals: Mapping[int, Totals], model: str) -> Path:
    """Draw one bar per producer: incorrect inferences, with their share of all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 (slow to import)
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    producers = sorted(totals)
    bars = axes.bar([str(id_) for id_ in producers], [totals[id_].incorrect for id_ in producers], color="#b5423c", width=0.6)
    axes.bar_label(bars, [_share(totals[id_]) for id_ in producers], padding=3)
    axes.set_xlabel("producer")
    axes.set_ylabel("incorrect inferences")
    axes.set_title(f"Incorrect inferences per producer (model {model})" if producers else "Nothing is counted yet")
    axes.set_ylim(bottom=0)
    axes.margins(y=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    return _replace(directory / CHART_NAME, lambda file: figure.savefig(file, format="png"))


def _share(count: Totals) -> str:
    return f"{count.incorrect} of {count.total} ({count.incorrect / count.total:.1%})"


def _replace(path: Path, fill: Callable[[IO[bytes]], None]) -> Path:
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        fill(file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return path
