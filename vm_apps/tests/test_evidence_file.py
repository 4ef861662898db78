"""The evidence as a file: its tables, its export, and its recount against the definition that Spark's jobs use."""

from dataclasses import fields, replace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline_evidence import MODEL, good_run, image_id, inference, ledgers
from quartet.audit.evidence import ImageRecord, InferenceRecord, StoredImage, StoredInference, TopicRange
from quartet.audit.evidence_file import EvidenceFile
from quartet.counting.totals import Inference, count
from quartet.runtime.errors import ExitCode, QuartetError


@pytest.mark.parametrize(
    ("kind", "table"),
    [(ImageRecord, "images"), (InferenceRecord, "inferences"), (StoredImage, "stored_images"), (StoredInference, "stored_inferences")],
)
def test_a_table_has_the_fields_of_its_records(tmp_path, kind, table):
    file = EvidenceFile(tmp_path)
    columns = file.query("SELECT column_name FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", table)
    file.close()
    assert [name for (name,) in columns] == [one.name for one in fields(kind)]


def test_the_rules_are_a_table_and_each_has_a_view():
    with good_run().as_file(ledgers()) as file:
        rules = file.query("SELECT number, title FROM rules ORDER BY number")
        views = file.query("SELECT view_name FROM duckdb_views() WHERE view_name LIKE 'rule\\__' ESCAPE '\\' ORDER BY view_name")
    assert [number for number, _ in rules] == list(range(1, 9))
    assert [name for (name,) in views] == [f"rule_{number}" for number in range(1, 9)]


def test_the_export_is_parquet_that_others_read(tmp_path):
    with good_run().as_file(ledgers()) as file:
        tables = file.export(tmp_path)
    assert {"images", "inferences", "stored_images", "stored_inferences", "ledgers", "dead_letters", "rules"} <= set(tables)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{table}.parquet" for table in tables)
    wrong = f"SELECT producer_id, count(*) FROM '{tmp_path}/inferences.parquet' WHERE image_prediction <> actual_value GROUP BY ALL"
    assert duckdb.sql(wrong).fetchall() == [(102, 3)]


def test_an_export_into_nowhere_names_the_folder(tmp_path):
    with good_run().as_file() as file, pytest.raises(QuartetError, match=r"absent.*--output") as caught:
        file.export(tmp_path / "absent")
    assert caught.value.code is ExitCode.DISK


FIRST = inference(good_run().images[0], 0)
records = st.tuples(
    st.sampled_from([101, 102]),
    st.integers(0, 3),
    st.sampled_from([MODEL, MODEL, "f" * 12]),
    st.sampled_from(["cat", "dog"]),
    st.sampled_from(["cat", "dog", None]),
    st.integers(0, 1),
)


@settings(max_examples=10, deadline=None)
@given(st.lists(records, max_size=40), st.dictionaries(st.integers(0, 1), st.integers(0, 15)))
def test_the_recount_in_sql_is_the_count_of_the_jobs(drawn, offsets):
    """Ids in several partitions, several models, labels that come later, and a stream at any offset."""
    ends = [0, 0]
    log = []
    for producer_id, sequence, model, prediction, label, partition in drawn:
        fields_of = {"id": image_id(producer_id, sequence), "producer_id": producer_id, "sequence": sequence, "model": model}
        place = {"partition": partition, "offset": ends[partition]}
        log.append(replace(FIRST, image_prediction=prediction, actual_value=label, **fields_of, **place))
        ends[partition] += 1
    evidence = replace(
        good_run(),
        inferences=log,
        topics={**good_run().topics, "inferences": TopicRange({0: 0, 1: 0}, dict(enumerate(ends)))},
        stored_inferences=[],
        stream=[replace(result, offsets=offsets) for result in good_run().stream],
    )
    in_order = sorted(log, key=lambda r: (r.partition, r.offset))
    counted = [Inference(r.producer_id, r.run, r.sequence, r.model, r.image_prediction, r.actual_value) for r in in_order]
    reached = [one for one, r in zip(counted, in_order, strict=True) if r.offset < offsets.get(r.partition, 0)]
    with evidence.as_file() as file:
        for table, expected in (("recount", counted), ("stream_recount", reached)):
            rows = file.query(f"SELECT producer_id, total, incorrect FROM {table}")
            assert {producer: (total, wrong) for producer, total, wrong in rows} == count(expected, MODEL)
