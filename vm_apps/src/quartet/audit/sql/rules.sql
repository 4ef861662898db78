-- The eight rules, and for each a view of what it finds: `SELECT * FROM rule_4`. A row is
--   line      where the finding stands in the rule's text
--   state     broken, pending (it has not arrived yet), or note (neither)
--   finding   what was found, and
--   offender  at which image or record; NULL where the finding is a whole sentence
-- A rule with a broken row is broken; without one, a rule with a pending row is pending; otherwise it holds.
CREATE TABLE rules AS FROM (VALUES
    (1, 'nothing acknowledged is lost: it is stored, or refused with a cause'),
    (2, 'nothing is invented: what is stored or refused was sent'),
    (3, 'one document per id, one payload per id'),
    (4, 'stored bytes are the sent bytes'),
    (5, 'no record is both stored and refused'),
    (6, 'every group has read everything'),
    (7, 'every image has exactly one inference of the model'),
    (8, 'stream == batch == recount')
) rules(number, title);

-- 1. Judged by the ledgers and the topics: everything in a topic was acknowledged, also what other clients sent.
CREATE VIEW rule_1 AS
SELECT [1] AS line, 'broken' AS state, 'acknowledged, but neither in Kafka nor stored' AS finding, a.id AS offender
FROM (SELECT image_id(producer_id, run, unnest(range(first, stop))) AS id FROM acknowledged) a
WHERE NOT EXISTS (SELECT 1 FROM arrived WHERE arrived.id = a.id) AND NOT EXISTS (SELECT 1 FROM images i WHERE i.id = a.id)
UNION ALL
SELECT [2], 'broken', 'read and committed, but neither stored nor refused', i.id
FROM first_images i
WHERE i.offset < committed_by('images', i.partition) AND NOT EXISTS (SELECT 1 FROM arrived WHERE arrived.id = i.id)
UNION ALL
SELECT [2], 'broken', 'read and committed, but neither stored nor refused', 'images ' || b.partition || '/' || b.offset
FROM bad_records b
WHERE b.topic = 'images' AND b.offset < committed_by('images', b.partition)
    AND NOT EXISTS (SELECT 1 FROM refused_images r WHERE r.partition = b.partition AND r.offset = b.offset)
UNION ALL
SELECT [2], 'broken', 'read and committed, but neither stored nor refused', 'inferences ' || b.partition || '/' || b.offset
FROM bad_records b
WHERE b.topic = 'inferences' AND b.offset < committed_by('inferences', b.partition)
    AND NOT EXISTS (SELECT 1 FROM refused_inferences r WHERE r.partition = b.partition AND r.offset = b.offset)
UNION ALL
SELECT [3], 'pending', 'not yet read', i.id
FROM first_images i
WHERE i.offset >= committed_by('images', i.partition) AND NOT EXISTS (SELECT 1 FROM arrived WHERE arrived.id = i.id);

-- 2. What retention has deleted from the topic may be stored, and what its log has lost.
CREATE VIEW in_topic AS
SELECT s.id, s.producer_id, s.run, s.sequence FROM stored_images s
WHERE s.offset < images_begin(s.partition) OR EXISTS (SELECT 1 FROM images i WHERE i.id = s.id);
CREATE VIEW rule_2 AS
SELECT [1] AS line, 'broken' AS state, 'stored, but not in the topic' AS finding, id AS offender FROM gone_images WHERE NOT sent
UNION ALL
SELECT [2], 'broken', 'stored, but beyond what the finished producer sent', s.id
FROM in_topic s JOIN ledgers l ON l.producer_id = s.producer_id AND l.run = s.run
WHERE s.sequence >= l.high_water AND l.finished >= l.high_water
UNION ALL
SELECT [3], 'broken', 'refused, but not in the topic', r.partition || '/' || r.offset
FROM refused_images r
WHERE r.offset >= images_begin(r.partition)
    AND NOT EXISTS (SELECT 1 FROM images i WHERE i.partition = r.partition AND i.offset = r.offset)
    AND NOT EXISTS (SELECT 1 FROM bad_records b WHERE b.topic = 'images' AND b.partition = r.partition AND b.offset = r.offset)
    AND NOT EXISTS (
        SELECT 1 FROM log_cuts c
        WHERE c.topic = (SELECT images_topic FROM pipeline) AND c.partition = r.partition AND r.offset >= c.first AND r.offset < c.stop
    )
UNION ALL
SELECT [4], 'note', count(*) || ' stored after the ledger was read', NULL
FROM in_topic s JOIN ledgers l ON l.producer_id = s.producer_id AND l.run = s.run
WHERE s.sequence >= l.high_water AND NOT coalesce(l.finished >= l.high_water, false)
HAVING count(*) > 0
UNION ALL
SELECT [5], 'note', 'without a ledger, judged by the topic: ' || first_few(list(s.producer_id || '-' || s.run ORDER BY s.producer_id, s.run)), NULL
FROM (SELECT DISTINCT producer_id, run FROM stored_images) s
WHERE NOT EXISTS (SELECT 1 FROM ledgers l WHERE l.producer_id = s.producer_id AND l.run = s.run)
HAVING count(*) > 0
UNION ALL
SELECT [6, "partition"], 'note',
    'sent and stored, but lost by the log of images/' || "partition" || ' from offset ' || lost_from || ' on (cut, as by a power loss, or a new topic)', id
FROM gone_images WHERE sent;

-- 3. Another payload under an existing id must be refused.
CREATE VIEW rule_3 AS
SELECT [1] AS line, 'broken' AS state, 'several documents' AS finding, id AS offender
FROM stored_images GROUP BY id HAVING count(*) > 1
UNION ALL
SELECT [2], 'broken', 'documents whose id is not made of their fields', id
FROM stored_images WHERE id <> image_id(producer_id, run, sequence)
UNION ALL
SELECT [3], 'note', 'ids that a client sent to several partitions, so that their order is undefined: ' || first_few(min(id, 6)), NULL
FROM (SELECT DISTINCT id FROM images WHERE nth > 1 AND opens_partition)
HAVING count(*) > 0
UNION ALL
SELECT [4], 'broken', 'other bytes under the same id, not refused as id-conflict', i.id || ' at ' || i.partition || '/' || i.offset
FROM images i JOIN first_images f ON f.id = i.id
WHERE i.nth > 1 AND i.digest <> f.digest AND i.offset < committed_by('images', i.partition)
    AND NOT EXISTS (SELECT 1 FROM refused_images r WHERE r.partition = i.partition AND r.offset = i.offset);

-- 4. Judged by the digests in the document, the topic and the producer's ledger. A client may have sent an id to several partitions.
CREATE VIEW rule_4 AS
SELECT [1] AS line, 'broken' AS state, 'bytes differ from payload_sha256' AS finding, id AS offender
FROM stored_images WHERE lower(hex(digest)) <> payload_sha256
UNION ALL
SELECT [2], 'broken', 'bytes differ from the topic''s', s.id
FROM stored_images s
WHERE EXISTS (SELECT 1 FROM images i WHERE i.id = s.id)
    AND NOT EXISTS (SELECT 1 FROM images i WHERE i.id = s.id AND i.opens_partition AND i.digest = s.digest)
UNION ALL
SELECT [3], 'broken', 'bytes differ from the producer''s ledger', s.id
FROM stored_images s JOIN sent_digests d ON d.producer_id = s.producer_id AND d.run = s.run AND d.sequence = s.sequence
WHERE d.digest <> s.digest
UNION ALL
SELECT [4], 'broken', 'label or time differ from the topic''s first record', s.id
FROM stored_images s
WHERE EXISTS (SELECT 1 FROM images i WHERE i.id = s.id AND i.opens_partition AND i.digest = s.digest)
    AND NOT EXISTS (
        SELECT 1 FROM images i
        WHERE i.id = s.id AND i.opens_partition AND i.captured_at = s.captured_at AND i.actual_value IS NOT DISTINCT FROM s.actual_value
    );

-- 5.
CREATE VIEW rule_5 AS
SELECT [1] AS line, 'broken' AS state, 'both' AS finding, s.id AS offender
FROM stored_images s JOIN refused_images r ON r.partition = s.partition AND r.offset = s.offset
WHERE r.unresolved
UNION ALL
SELECT [2], 'note', 'refused: ' || string_agg(records || ' ' || cause, ', ' ORDER BY cause), NULL
FROM (SELECT cause, count(*) AS records FROM refused_images WHERE unresolved GROUP BY cause)
HAVING count(*) > 0;

-- 6. Unread records make it pending, never broken.
CREATE VIEW rule_6 AS
SELECT [number] AS line, 'pending' AS state,
    reader || ': ' || unread || if(reader = 'Spark stream', ' uncounted', ' unread') AS finding, NULL::VARCHAR AS offender
FROM lag WHERE unread > 0;

-- 7. The stored inference is the first one in the log. Where retention has deleted images, inferences may be older than those that are left.
CREATE VIEW rule_7 AS
SELECT [1] AS line, 'broken' AS state, 'inferences of images that were never sent' AS finding, i.id AS offender
FROM first_inferences i
WHERE NOT EXISTS (SELECT 1 FROM images s WHERE s.id = i.id) AND NOT EXISTS (SELECT 1 FROM gone_images g WHERE g.id = i.id AND g.sent)
    AND NOT EXISTS (SELECT 1 FROM ranges WHERE topic = (SELECT images_topic FROM pipeline) AND begin_offset > 0)
UNION ALL
SELECT [2], 'broken', 'stored, but not in the topic', id FROM gone_inferences WHERE NOT lost
UNION ALL
SELECT if(s.offset < committed_by('inference', s.partition), [3], [9]), if(s.offset < committed_by('inference', s.partition), 'broken', 'pending'),
    if(s.offset < committed_by('inference', s.partition), 'committed by inference, but no inference', 'not yet classified'), s.id
FROM first_images s
WHERE NOT EXISTS (SELECT 1 FROM first_inferences i WHERE i.id = s.id) AND NOT EXISTS (SELECT 1 FROM inference_documents d WHERE d.id = s.id)
UNION ALL
SELECT if(i.offset < committed_by('inferences', i.partition), [4], [10]), if(i.offset < committed_by('inferences', i.partition), 'broken', 'pending'),
    if(i.offset < committed_by('inferences', i.partition), 'inference committed, but not stored', 'inferences not yet stored'), i.id
FROM first_inferences i
WHERE NOT EXISTS (SELECT 1 FROM inference_documents d WHERE d.id = i.id)
    AND NOT EXISTS (SELECT 1 FROM refused_inferences r WHERE r.partition = i.partition AND r.offset = i.offset)
UNION ALL
SELECT [5], 'broken', 'stored inference is not the first in the log', i.id
FROM first_inferences i JOIN inference_documents d ON d.id = i.id
WHERE (d.image_prediction, d.inferred_at) <> (i.image_prediction, i.inferred_at) OR d.actual_value IS DISTINCT FROM i.actual_value
UNION ALL
SELECT [6], 'broken', 'inference carries another label than the image', i.id
FROM first_inferences i JOIN first_images s ON s.id = i.id
WHERE s.actual_value IS DISTINCT FROM i.actual_value
UNION ALL
SELECT [7], 'broken', 'several documents of an inference', key
FROM stored_inferences GROUP BY key HAVING count(*) > 1
UNION ALL
SELECT [8], 'broken', 'key is not <id>/<model>', key
FROM stored_inferences WHERE key <> id || '/' || model
UNION ALL
SELECT [11, "partition"], 'note',
    'stored, but lost by the log of inferences/' || "partition" || ' from offset ' || lost_from || ' on (cut, as by a power loss, or a new topic)', id
FROM gone_inferences WHERE lost;

-- 8. The stream is compared at its own offsets, the batch once everything has drained.
CREATE VIEW rule_8 AS
SELECT [1, s.producer_id] AS line, 'broken' AS state,
    if(s.model <> counted_model(), 'stream counts the model ' || s.model || ', not ' || counted_model() || ': rebuild it',
        'stream of ' || s.producer_id || ': ' || s.incorrect || ' of ' || s.total || ' wrong, the recount says '
        || coalesce(r.incorrect, 0) || ' of ' || coalesce(r.total, 0)) AS finding, NULL::VARCHAR AS offender
FROM stream s LEFT JOIN stream_recount r ON r.producer_id = s.producer_id
WHERE s.model <> counted_model() OR (s.total, s.incorrect) <> (coalesce(r.total, 0), coalesce(r.incorrect, 0))
UNION ALL
SELECT [2, r.producer_id], 'broken', 'the stream has no document of ' || r.producer_id, NULL
FROM (SELECT producer_id FROM stream_recount UNION SELECT producer_id FROM recount WHERE (SELECT drained FROM drained)) r
WHERE NOT EXISTS (SELECT 1 FROM stream s WHERE s.producer_id = r.producer_id)
UNION ALL
SELECT [3, coalesce(b.producer_id, r.producer_id)], 'broken', CASE
    WHEN b.producer_id IS NULL THEN 'the batch has no document of ' || r.producer_id || ': run quartet-spark-batch.service'
    WHEN b.model <> counted_model() THEN 'batch counts the model ' || b.model || ', not ' || counted_model()
    ELSE 'batch of ' || b.producer_id || ': ' || b.incorrect || ' of ' || b.total || ' wrong, the recount says '
        || coalesce(r.incorrect, 0) || ' of ' || coalesce(r.total, 0)
    END, NULL
FROM batch b FULL JOIN recount r ON r.producer_id = b.producer_id
WHERE (SELECT drained FROM drained)
    AND (b.producer_id IS NULL OR b.model <> counted_model() OR (b.total, b.incorrect) <> (coalesce(r.total, 0), coalesce(r.incorrect, 0)))
UNION ALL
SELECT [4], 'pending', 'batch: compared once everything has drained', NULL
WHERE NOT (SELECT drained FROM drained);
