-- The evidence: what the auditor read, one row per record or document.
-- Times in microseconds since the epoch; digests are the 32 bytes of the sha256 of the image's bytes.

-- Once: when reading began, the model that is counted, and the names of the topics.
CREATE TABLE pipeline (taken_at BIGINT, model VARCHAR, images_topic VARCHAR, inferences_topic VARCHAR);
CREATE TABLE versions (name VARCHAR, value VARCHAR);

-- The ledgers of the producers: sequences below high_water may have been sent; finished is the count of a finished run.
CREATE TABLE ledgers (producer_id INTEGER, run VARCHAR, high_water BIGINT, finished BIGINT, dataset VARCHAR);
-- Sequences that Kafka acknowledged: first <= sequence < stop.
CREATE TABLE acknowledged (producer_id INTEGER, run VARCHAR, first BIGINT, stop BIGINT);
CREATE TABLE sent_digests (producer_id INTEGER, run VARCHAR, sequence BIGINT, digest BLOB);

-- The topics: the first offset that is left of each partition and the end up to which it was read; their valid records, and the places of
-- the invalid ones (topic: images or inferences).
CREATE TABLE ranges (topic VARCHAR, "partition" INTEGER, begin_offset BIGINT, end_offset BIGINT);
CREATE TABLE images (
    id VARCHAR, producer_id INTEGER, run VARCHAR, sequence BIGINT, actual_value VARCHAR, captured_at BIGINT, appended_at BIGINT,
    digest BLOB, "partition" INTEGER, "offset" BIGINT
);
CREATE TABLE inferences (
    id VARCHAR, producer_id INTEGER, run VARCHAR, sequence BIGINT, model VARCHAR, image_prediction VARCHAR, actual_value VARCHAR,
    confidence DOUBLE, captured_at BIGINT, inferred_at BIGINT, "partition" INTEGER, "offset" BIGINT
);
CREATE TABLE bad_records (topic VARCHAR, "partition" INTEGER, "offset" BIGINT);
-- The place of the refused record, the image id in its key (if any), and the cause.
CREATE TABLE dead_letters (topic VARCHAR, "partition" INTEGER, "offset" BIGINT, id VARCHAR, cause VARCHAR);
-- Offsets that the groups images, inferences and inference have committed.
CREATE TABLE committed (reader VARCHAR, "partition" INTEGER, "offset" BIGINT);
-- Offsets of which a group has read records that the log has lost since: first <= offset < stop; from the groups' commits.
CREATE TABLE log_cuts (topic VARCHAR, "partition" INTEGER, first BIGINT, stop BIGINT);

-- The database: partition and offset are those of the record that was stored.
CREATE TABLE stored_images (
    id VARCHAR, producer_id INTEGER, run VARCHAR, sequence BIGINT, actual_value VARCHAR, captured_at BIGINT, received_at BIGINT,
    payload_sha256 VARCHAR, digest BLOB, "partition" INTEGER, "offset" BIGINT
);
CREATE TABLE stored_inferences (
    key VARCHAR, id VARCHAR, producer_id INTEGER, model VARCHAR, image_prediction VARCHAR, actual_value VARCHAR, confidence DOUBLE,
    captured_at BIGINT, inferred_at BIGINT, "partition" INTEGER, "offset" BIGINT
);
-- The counts of the batch and of the stream, and the offsets up to which the stream has counted.
CREATE TABLE batch (producer_id INTEGER, total BIGINT, incorrect BIGINT, model VARCHAR, updated_at BIGINT);
CREATE TABLE stream (producer_id INTEGER, total BIGINT, incorrect BIGINT, model VARCHAR, updated_at BIGINT);
CREATE TABLE stream_offsets (producer_id INTEGER, "partition" INTEGER, "offset" BIGINT);
