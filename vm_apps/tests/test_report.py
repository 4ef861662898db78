"""The page, the CSV and the chart, from the judge's figures of a synthetic run."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
from PIL import Image
from pipeline_evidence import good_run, image_id, judge, ledgers
from quartet.audit.report import chart, page, tables
from quartet.audit.report.samples import Sample, png


def verdict(evidence=None):
    return json.loads(json.dumps(judge(evidence or good_run(), ledgers()).as_json()))


def sample(**fields):
    base = Sample(image_id(102, 1), bytes(range(256)) * 12, "cat", "dog", 0.9)
    return replace(base, **fields)


def test_the_page_needs_nothing_beside_itself():
    html = page.render(verdict(), {101: [sample()], 102: [sample(prediction=None), sample(truth=None)]}, ["producer 101: glyphs"])
    assert html.startswith("<!doctype html>")
    assert "verified: stream = batch = recount" in html
    assert "dog 0.90" in html
    assert "is cat" in html
    assert "MongoDB 8.0" in html
    assert "producer 101: glyphs" in html
    assert html.count("data:image/png;base64,") == 4
    assert "<script" not in html
    assert "src='data:" in html
    assert "http" not in html


def test_names_are_escaped():
    hostile = replace(good_run(), versions={"database": "<script>alert(1)</script>"})
    html = page.render(verdict(hostile), {101: [sample(id="'><script>")]}, ["<b>"])
    assert "<script" not in html
    assert "<b>" not in html


def test_a_broken_run_says_so():
    broken_run = replace(good_run(), batch=good_run().batch[:1])
    html = page.render(verdict(broken_run), {}, [])
    assert "broken: 8" in html
    assert "the batch has no document of 102" in html
    assert "broken: 8" in tables.as_text(verdict(broken_run))


def test_an_empty_system_has_a_report():
    nothing = replace(
        good_run(), images=[], inferences=[], stored_images=[], stored_inferences=[], batch=[], stream=[], committed={}, topics={}
    )
    topics = {name: replace(extent, end=extent.begin) for name, extent in good_run().topics.items()}
    empty = json.loads(json.dumps(judge(replace(nothing, topics=topics), []).as_json()))
    assert "Quartet" in page.render(empty, {}, [])
    assert tables.as_csv(empty["producers"]).count("\n") == 1


def test_the_csv_has_one_line_per_producer():
    rows = list(csv.DictReader(io.StringIO(tables.as_csv(verdict()["producers"]))))
    assert [(r["producer_id"], r["stream_incorrect"], r["batch_total"]) for r in rows] == [("101", "0", "6"), ("102", "3", "6")]


def test_the_terminal_table():
    assert [line.split() for line in tables.as_text(verdict()).splitlines()[1:3]] == [
        ["101", "6", "0", "0", "0", "1.000"],
        ["102", "6", "3", "3", "3", "0.500"],
    ]


def test_images_are_planar():
    payload = b"\xff" * 1024 + bytes(2048)
    picture = np.asarray(Image.open(io.BytesIO(png(payload))))
    assert picture.shape == (96, 96, 3)
    assert (picture == [255, 0, 0]).all()


def test_the_chart_is_a_png():
    assert Image.open(io.BytesIO(chart.draw(verdict()["producers"]))).size == (960, 480)
