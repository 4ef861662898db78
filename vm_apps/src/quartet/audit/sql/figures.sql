-- What the report shows besides the rules.

-- Per producer: its images at each stage, and its three counts. A producer that occurs in none of them has no row.
CREATE VIEW producers AS
WITH stages AS (
    SELECT producer_id, sum(stop - first) AS acknowledged FROM acknowledged GROUP BY ALL
    UNION ALL BY NAME SELECT producer_id, 0 AS acknowledged FROM ledgers
    UNION ALL BY NAME SELECT producer_id, count(*) AS sent FROM first_images GROUP BY ALL
    UNION ALL BY NAME SELECT producer_id, count(*) AS stored FROM stored_images GROUP BY ALL
    UNION ALL BY NAME SELECT split_part(id, '-', 1)::INTEGER AS producer_id, count(DISTINCT id) AS refused
        FROM refused_images WHERE unresolved AND id IS NOT NULL GROUP BY ALL
    UNION ALL BY NAME SELECT producer_id, count(*) AS inferred FROM first_inferences GROUP BY ALL
    UNION ALL BY NAME SELECT producer_id, count(*) AS pending FROM stored_images s
        WHERE NOT EXISTS (SELECT 1 FROM first_inferences i WHERE i.id = s.id) GROUP BY ALL
    UNION ALL BY NAME SELECT producer_id, total AS recount_total, incorrect AS recount_incorrect FROM recount
    UNION ALL BY NAME SELECT producer_id, total AS batch_total, incorrect AS batch_incorrect FROM batch
    UNION ALL BY NAME SELECT producer_id, total AS stream_total, incorrect AS stream_incorrect FROM stream
)
SELECT producer_id, coalesce(sum(sent), 0)::BIGINT AS sent, coalesce(sum(acknowledged), 0)::BIGINT AS acknowledged,
    coalesce(sum(stored), 0)::BIGINT AS stored, coalesce(sum(refused), 0)::BIGINT AS refused, coalesce(sum(inferred), 0)::BIGINT AS inferred,
    coalesce(sum(pending), 0)::BIGINT AS pending, max(batch_total) AS batch_total, max(batch_incorrect) AS batch_incorrect,
    max(stream_total) AS stream_total, max(stream_incorrect) AS stream_incorrect,
    coalesce(max(recount_total), 0) AS recount_total, coalesce(max(recount_incorrect), 0) AS recount_incorrect
FROM stages GROUP BY producer_id;

-- Labelled inferences that count.
CREATE VIEW confusion AS
SELECT producer_id, actual_value, image_prediction, count(*) AS inferences
FROM first_inferences WHERE actual_value IS NOT NULL GROUP BY ALL;

-- Events per second between the first and the last one; NULL for fewer than two.
CREATE MACRO per_second(events, first_at, last_at) AS (events - 1) * 1e6 / nullif(last_at - first_at, 0);
CREATE VIEW runs AS
SELECT run, count(*) AS images, min(captured_at) AS first_captured_at, max(captured_at) AS last_captured_at,
    per_second(count(*), min(captured_at), max(captured_at)) AS produced_per_second
FROM first_images GROUP BY run;

-- Per stage (inferred, stored) and run: events per second, and the times since capture. A percentile is the smallest time that this share
-- of the times does not exceed.
CREATE VIEW stage_times AS
WITH events AS (
    SELECT 'inferred' AS stage, f.run, i.captured_at, i.inferred_at AS done_at FROM first_inferences i JOIN first_images f ON f.id = i.id
    UNION ALL
    SELECT 'stored', f.run, s.captured_at, s.received_at FROM stored_images s JOIN first_images f ON f.id = s.id
), spans AS (
    SELECT stage, run, done_at, done_at - captured_at AS span, count(*) OVER (PARTITION BY stage, run) AS events,
        row_number() OVER (PARTITION BY stage, run ORDER BY done_at - captured_at) AS nth
    FROM events
)
SELECT stage, run, per_second(count(*), min(done_at), max(done_at)) AS per_second, count(*) AS n,
    any_value(span) FILTER (nth = greatest(1, ceil(0.5::DOUBLE * events))) / 1000 AS p50_ms,
    any_value(span) FILTER (nth = greatest(1, ceil(0.95::DOUBLE * events))) / 1000 AS p95_ms, max(span) / 1000 AS max_ms
FROM spans GROUP BY stage, run;
