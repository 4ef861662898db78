-- What several rules need, computed once from the evidence. Log order is partition, then offset: all records of an id that our producers
-- send are in one partition, so it defines which record is the first.

CREATE MACRO image_id(producer_id, run, sequence) AS printf('%d-%s-%012d', producer_id, run, sequence);
CREATE MACRO counted_model() AS (SELECT model FROM pipeline);
-- Several names, already sorted, six at most: the first five are shown.
CREATE MACRO first_few(names) AS array_to_string(names[:5], ', ') || if(len(names) > 5, ', ...', '');
-- The first offset that is left of a partition, and the offset that a group has committed in it; 0 if there is none.
CREATE MACRO images_begin(part) AS coalesce(
    (SELECT map_from_entries(list((r.partition, r.begin_offset))) FROM ranges r WHERE r.topic = (SELECT images_topic FROM pipeline))[part], 0);
CREATE MACRO inferences_begin(part) AS coalesce(
    (SELECT map_from_entries(list((r.partition, r.begin_offset))) FROM ranges r WHERE r.topic = (SELECT inferences_topic FROM pipeline))[part], 0);
CREATE MACRO committed_by(group_name, part) AS coalesce(
    (SELECT map_from_entries(list((c.partition, c.offset))) FROM committed c WHERE c.reader = group_name)[part], 0);

-- nth: 1 is the record that counts, of its id, or of its id and model; opens_partition: the first record of its id in its partition.
CREATE OR REPLACE TABLE images AS
SELECT *, row_number() OVER log_order AS nth, lag("partition") OVER log_order IS DISTINCT FROM "partition" AS opens_partition
FROM images WINDOW log_order AS (PARTITION BY id ORDER BY "partition", "offset");
CREATE OR REPLACE TABLE inferences AS
SELECT *, row_number() OVER (PARTITION BY id, model ORDER BY "partition", "offset") AS nth FROM inferences;

-- One letter per refused record, the first that was read.
CREATE OR REPLACE TABLE dead_letters AS
SELECT * FROM dead_letters QUALIFY row_number() OVER (PARTITION BY topic, "partition", "offset" ORDER BY rowid) = 1;
-- The refused records of images. One is resolved if its id was sent again and is stored now. One that was refused because its id was taken
-- (id-conflict) stays unresolved and does not concern the image with that id.
CREATE TABLE refused_images AS
SELECT l.partition, l.offset, l.cause, if(l.cause = 'id-conflict', NULL, l.id) AS id,
    l.cause = 'id-conflict' OR l.id IS NULL OR s.id IS NULL OR (s.partition = l.partition AND s.offset = l.offset) AS unresolved
FROM dead_letters l LEFT JOIN stored_images s ON s.id = l.id
WHERE l.topic = (SELECT images_topic FROM pipeline);
CREATE VIEW refused_inferences AS
SELECT "partition", "offset" FROM dead_letters WHERE topic = (SELECT inferences_topic FROM pipeline);

CREATE VIEW arrived AS SELECT id FROM stored_images UNION ALL SELECT id FROM refused_images WHERE id IS NOT NULL;
CREATE VIEW first_images AS SELECT * FROM images WHERE nth = 1;
-- Of the model that is counted
CREATE VIEW first_inferences AS SELECT * FROM inferences WHERE nth = 1 AND model = counted_model();
CREATE VIEW inference_documents AS SELECT * FROM stored_inferences WHERE model = counted_model();

-- What a log has lost after it was read: it was cut, as by a power loss, or the topic created anew. So say the groups' commits, and of images
-- that are stored the ledgers, by which they were sent. lost_from: the first such offset of the partition.
CREATE TABLE gone_images AS
SELECT *, min("offset") FILTER (sent) OVER (PARTITION BY "partition") AS lost_from FROM (
    SELECT s.id, s.partition, s.offset,
        EXISTS (SELECT 1 FROM ledgers l WHERE l.producer_id = s.producer_id AND l.run = s.run AND s.sequence < l.high_water)
        OR EXISTS (
            SELECT 1 FROM log_cuts c
            WHERE c.topic = (SELECT images_topic FROM pipeline) AND c.partition = s.partition AND s.offset >= c.first AND s.offset < c.stop
        ) AS sent
    FROM stored_images s
    WHERE s.offset >= images_begin(s.partition) AND NOT EXISTS (SELECT 1 FROM images i WHERE i.id = s.id)
);
CREATE TABLE gone_inferences AS
SELECT *, min("offset") FILTER (lost) OVER (PARTITION BY "partition") AS lost_from FROM (
    SELECT d.id, d.partition, d.offset, d.image_prediction, d.actual_value,
        EXISTS (
            SELECT 1 FROM log_cuts c
            WHERE c.topic = (SELECT inferences_topic FROM pipeline) AND c.partition = d.partition AND d.offset >= c.first AND d.offset < c.stop
        ) AS lost
    FROM inference_documents d
    WHERE d.offset >= inferences_begin(d.partition) AND NOT EXISTS (SELECT 1 FROM first_inferences i WHERE i.id = d.id)
);

-- How many records each reader has not committed, and the stream has not counted.
CREATE VIEW lag AS
SELECT 1 AS number, 'images' AS reader,
    coalesce(sum(greatest(0, end_offset - greatest(begin_offset, committed_by('images', "partition")))), 0)::BIGINT AS unread
FROM ranges WHERE topic = (SELECT images_topic FROM pipeline)
UNION ALL
SELECT 2, 'inference', coalesce(sum(greatest(0, end_offset - greatest(begin_offset, committed_by('inference', "partition")))), 0)::BIGINT
FROM ranges WHERE topic = (SELECT images_topic FROM pipeline)
UNION ALL
SELECT 3, 'inferences', coalesce(sum(greatest(0, end_offset - greatest(begin_offset, committed_by('inferences', "partition")))), 0)::BIGINT
FROM ranges WHERE topic = (SELECT inferences_topic FROM pipeline)
UNION ALL
SELECT 4, 'Spark stream', coalesce(sum(greatest(0, r.end_offset - greatest(r.begin_offset, coalesce(s.counted, 0)))), 0)::BIGINT
FROM ranges r LEFT JOIN (SELECT "partition", max("offset") AS counted FROM stream_offsets GROUP BY "partition") s ON s.partition = r.partition
WHERE r.topic = (SELECT inferences_topic FROM pipeline);
CREATE VIEW drained AS SELECT sum(unread) = 0 AS drained FROM lag;

-- The recount: of each id the first inference of the model counts, if it is labelled, and is wrong if the prediction is not the label.
-- What retention has deleted from the topic, or its log lost, is taken from the database and comes first.
CREATE TABLE deleted_inferences AS
SELECT split_part(id, '-', 1)::INTEGER AS producer_id, id, image_prediction, actual_value
FROM (
    SELECT id, image_prediction, actual_value, "partition", "offset" FROM inference_documents WHERE "offset" < inferences_begin("partition")
    UNION ALL
    SELECT id, image_prediction, actual_value, "partition", "offset" FROM gone_inferences WHERE lost
)
QUALIFY row_number() OVER (PARTITION BY id ORDER BY "partition", "offset") = 1;
CREATE MACRO incorrect(prediction, actual) AS count(*) FILTER (actual <> prediction);
CREATE TABLE recount AS
SELECT producer_id, count(actual_value) AS total, incorrect(image_prediction, actual_value) AS incorrect
FROM (
    SELECT producer_id, image_prediction, actual_value FROM deleted_inferences
    UNION ALL
    SELECT producer_id, image_prediction, actual_value FROM first_inferences i
    WHERE NOT EXISTS (SELECT 1 FROM deleted_inferences d WHERE d.id = i.id)
)
GROUP BY producer_id HAVING count(actual_value) > 0;

-- The same up to the offsets of each producer's document of the stream; where it has none, up to those that every document has reached.
CREATE VIEW recount_offsets AS
SELECT * FROM stream_offsets
UNION ALL
SELECT r.producer_id, o.partition, o.offset
FROM (SELECT DISTINCT producer_id FROM inferences) r CROSS JOIN (
    SELECT "partition", min("offset") AS "offset" FROM stream_offsets
    GROUP BY "partition" HAVING count(*) = (SELECT count(*) FROM stream)
) o
WHERE NOT EXISTS (SELECT 1 FROM stream s WHERE s.producer_id = r.producer_id);
CREATE TABLE stream_recount AS
SELECT producer_id, count(actual_value) AS total, incorrect(image_prediction, actual_value) AS incorrect
FROM (
    SELECT producer_id, image_prediction, actual_value FROM deleted_inferences
    UNION ALL
    (SELECT i.producer_id, i.image_prediction, i.actual_value
    FROM inferences i JOIN recount_offsets o ON o.producer_id = i.producer_id AND o.partition = i.partition AND i.offset < o.offset
    WHERE i.model = counted_model() AND NOT EXISTS (SELECT 1 FROM deleted_inferences d WHERE d.id = i.id)
    QUALIFY row_number() OVER (PARTITION BY i.id ORDER BY i.nth) = 1)
)
GROUP BY producer_id HAVING count(actual_value) > 0;
