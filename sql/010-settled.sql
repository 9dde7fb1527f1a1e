-- A commit of one event moves the sequence of one producer and the numbers of tasks in two states. Its row of commits says
-- so, and the tables of both get it once for many commits: each of them is a page less to write. 'settled' has the
-- commit up to which they have everything. The views have the names that the tables had, and add what came after it.
ALTER TABLE commits ADD COLUMN producer INTEGER;    -- producer_rows.id of the sequence below; NULL: the table has it
ALTER TABLE commits ADD COLUMN sequence INTEGER;    -- the producer's last one
ALTER TABLE commits ADD COLUMN count_more INTEGER;  -- task_count_rows.id of one more task; NULL: the table has it
ALTER TABLE commits ADD COLUMN count_less INTEGER;  -- and of one less

-- One row.
CREATE TABLE settled (
    first INTEGER NOT NULL          -- commits.first
) STRICT;
INSERT INTO settled SELECT ifnull (max (first), 0) FROM commits;

DROP VIEW producers_view;
ALTER TABLE producers RENAME TO producer_rows;
CREATE VIEW unsettled_sequences AS SELECT producer AS id, max (sequence) AS sequence FROM commits
    WHERE first > (SELECT first FROM settled) AND producer IS NOT NULL GROUP BY producer;
CREATE VIEW producers AS SELECT
    id, name, max (sequence, ifnull ((SELECT u.sequence FROM unsettled_sequences u WHERE u.id = p.id), 0)) AS sequence,
    instance, lease_ms, status, first_seen_at, last_seen_at
FROM producer_rows p;
CREATE VIEW producers_view AS SELECT
    name, sequence, instance, lease_ms,
    CASE status WHEN 1 THEN 'present' WHEN 2 THEN 'left' WHEN 4 THEN 'left' ELSE 'expired' END AS status,
    strftime ('%Y-%m-%dT%H:%M:%S', first_seen_at / 1000000, 'unixepoch') || printf ('.%06dZ', first_seen_at % 1000000) AS first_seen_at,
    strftime ('%Y-%m-%dT%H:%M:%S', last_seen_at / 1000000, 'unixepoch') || printf ('.%06dZ', last_seen_at % 1000000) AS last_seen_at
FROM producers;

-- Number of tasks per state, role, provider and model (0: none).
CREATE TABLE task_count_rows (
    id       INTEGER PRIMARY KEY,
    state    INTEGER NOT NULL,
    role     INTEGER NOT NULL,      -- words
    provider INTEGER NOT NULL,      -- words
    model    INTEGER NOT NULL,      -- words
    count    INTEGER NOT NULL,
    UNIQUE (state, role, provider, model)
) STRICT;
INSERT INTO task_count_rows (state, role, provider, model, count) SELECT state, role, provider, model, count FROM task_counts;
DROP TABLE task_counts;
CREATE VIEW unsettled_counts AS SELECT id, sum (number) AS number FROM (
        SELECT count_more AS id, 1 AS number FROM commits WHERE first > (SELECT first FROM settled)
        UNION ALL SELECT count_less, -1 FROM commits WHERE first > (SELECT first FROM settled))
    WHERE id IS NOT NULL GROUP BY id;
CREATE VIEW task_counts AS SELECT
    r.state, r.role, r.provider, r.model, r.count + ifnull (u.number, 0) AS count
FROM task_count_rows r LEFT JOIN unsettled_counts u ON u.id = r.id;
