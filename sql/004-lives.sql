-- Interruptions are counted apart from errors, and attempts are numbered.
--
-- producers.status has one more code: 4, a run that said goodbye, and whose tasks in progress are
-- interrupted by its lease or the next run (2: they are kept as they are; what goodbye meant before).
-- task_states.owner is the producer whose event last set the state; of earlier events, only of those
-- that set the task running.
ALTER TABLE task_states ADD COLUMN interruptions INTEGER;   -- events of the broker that interrupted it, NULL: none
ALTER TABLE task_states ADD COLUMN retries INTEGER;         -- from a terminal state to queued, NULL: none

-- The rows that begin another attempt (state_to: queued; state_from: terminal), by task. Ledgers
-- have few of them, so the number of the attempt of any event is found in a few pages.
CREATE INDEX task_retries ON task_history (position - task_back) WHERE state_to = 1 AND state_from >= 6;

-- What a ledger of an earlier version holds already: an interruption counted as an error there.
UPDATE task_states SET
    error_count = error_count - c.errors,
    interruptions = nullif (c.interruptions, 0),
    retries = nullif (c.retries, 0)
FROM (SELECT position - task_back AS task,
        sum (kind = 4 AND error_message IS NOT NULL) AS errors,
        sum (kind = 4) AS interruptions,
        sum (state_to = 1 AND state_from >= 6) AS retries
    FROM task_history WHERE kind = 4 OR (state_to = 1 AND state_from >= 6) GROUP BY 1) c
WHERE c.task = task_states.task;

-- Rows with plain numbers, and the views for people that show the new ones.

DROP VIEW states_plain;
CREATE VIEW states_plain AS SELECT
    task, state, role, provider, model, flags, owner, created_at,
    created_at + updated_after AS updated_at,
    created_at + started_after AS started_at,
    created_at + completed_after AS completed_at,
    error_count, interruptions, retries,
    1 + ifnull (retries, 0) AS attempt,
    task + last_error AS last_error_at,
    task + last_history AS last_history,
    task + last_output AS last_output,
    task + last_metric AS last_metric,
    task + max (ifnull (last_history, 0), ifnull (last_output, 0), ifnull (last_metric, 0)) AS position
FROM task_states;

DROP VIEW task_summary;
CREATE VIEW task_summary AS SELECT
    CASE typeof (t.task_id) WHEN 'blob' THEN lower (CASE length (t.task_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (t.task_id), 1, 8), substr (hex (t.task_id), 9, 4), substr (hex (t.task_id), 13, 4), substr (hex (t.task_id), 17, 4),
        substr (hex (t.task_id), 21)) ELSE hex (t.task_id) END) ELSE t.task_id END AS task_id,
    (SELECT word FROM vocabulary WHERE kind = 'task_state' AND code = s.state) AS state,
    t.title,
    (SELECT word FROM words WHERE id = s.role) AS role,
    (SELECT word FROM words WHERE id = s.provider) AS provider,
    (SELECT word FROM words WHERE id = s.model) AS model,
    ifnull ((SELECT word FROM words WHERE id = t.user_id), 'default') AS user_id,
    CASE typeof (t.parent_id) WHEN 'blob' THEN lower (CASE length (t.parent_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (t.parent_id), 1, 8), substr (hex (t.parent_id), 9, 4), substr (hex (t.parent_id), 13, 4), substr (hex (t.parent_id), 17, 4),
        substr (hex (t.parent_id), 21)) ELSE hex (t.parent_id) END) ELSE t.parent_id END AS parent_id,
    strftime ('%Y-%m-%dT%H:%M:%S', s.created_at / 1000000, 'unixepoch') || printf ('.%06dZ', s.created_at % 1000000) AS created_at,
    strftime ('%Y-%m-%dT%H:%M:%S', s.updated_at / 1000000, 'unixepoch') || printf ('.%06dZ', s.updated_at % 1000000) AS updated_at,
    strftime ('%Y-%m-%dT%H:%M:%S', s.started_at / 1000000, 'unixepoch') || printf ('.%06dZ', s.started_at % 1000000) AS started_at,
    strftime ('%Y-%m-%dT%H:%M:%S', s.completed_at / 1000000, 'unixepoch') || printf ('.%06dZ', s.completed_at % 1000000) AS completed_at,
    (s.completed_at - s.started_at) / 1e6 AS run_seconds,
    s.attempt,
    s.error_count,
    (SELECT CASE typeof (error_message) WHEN 'blob' THEN '(long, and compressed: stele get shows it)' ELSE error_message END
        FROM task_history WHERE position = s.last_error_at) AS last_error,
    ifnull (s.interruptions, 0) AS interruptions,
    (s.flags & 4) / 4 AS interrupted,
    t.created IS NULL AS placeholder,
    s.position,
    t.task_id AS key
FROM tasks t JOIN states_plain s ON s.task = t.id;

DROP VIEW task_history_view;
CREATE VIEW task_history_view AS SELECT
    h.position,
    CASE typeof (h.task_id) WHEN 'blob' THEN lower (CASE length (h.task_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (h.task_id), 1, 8), substr (hex (h.task_id), 9, 4), substr (hex (h.task_id), 13, 4), substr (hex (h.task_id), 17, 4),
        substr (hex (h.task_id), 21)) ELSE hex (h.task_id) END) ELSE h.task_id END AS task_id,
    (SELECT word FROM vocabulary WHERE kind = 'history_kind' AND code = h.kind) AS kind,
    (SELECT word FROM vocabulary WHERE kind = 'task_state' AND code = h.state_from) AS state_from,
    (SELECT word FROM vocabulary WHERE kind = 'task_state' AND code = h.state_to) AS state_to,
    strftime ('%Y-%m-%dT%H:%M:%S', h.time / 1000000, 'unixepoch') || printf ('.%06dZ', h.time % 1000000) AS timestamp,
    1 + (SELECT count (*) FROM task_history r WHERE r.position - r.task_back = h.task AND r.position <= h.position
        AND r.state_to = 1 AND r.state_from >= 6) AS attempt,
    (SELECT word FROM words WHERE id = h.provider) AS provider,
    (SELECT word FROM words WHERE id = h.model) AS model,
    ifnull ((SELECT word FROM words WHERE id = h.user_id), 'default') AS user_id,
    CASE typeof (h.error_message) WHEN 'blob' THEN '(long, and compressed: stele history shows it)' ELSE h.error_message END AS error_message,
    CASE typeof (h.details) WHEN 'blob' THEN NULL ELSE h.details END AS details,
    CASE typeof (h.changes) WHEN 'blob' THEN NULL ELSE h.changes END AS changes,
    CASE typeof (h.extra) WHEN 'blob' THEN NULL ELSE h.extra END AS extra
FROM history_plain h;

DROP VIEW task_outputs_view;
CREATE VIEW task_outputs_view AS SELECT
    o.position,
    CASE typeof (o.task_id) WHEN 'blob' THEN lower (CASE length (o.task_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (o.task_id), 1, 8), substr (hex (o.task_id), 9, 4), substr (hex (o.task_id), 13, 4), substr (hex (o.task_id), 17, 4),
        substr (hex (o.task_id), 21)) ELSE hex (o.task_id) END) ELSE o.task_id END AS task_id,
    (SELECT word FROM vocabulary WHERE kind = 'output_type' AND code = o.output_type) AS output_type,
    strftime ('%Y-%m-%dT%H:%M:%S', o.time / 1000000, 'unixepoch') || printf ('.%06dZ', o.time % 1000000) AS timestamp,
    1 + (SELECT count (*) FROM task_history r WHERE r.position - r.task_back = o.task AND r.position <= o.position
        AND r.state_to = 1 AND r.state_from >= 6) AS attempt,
    o.file_path, o.file_size,
    (SELECT word FROM words WHERE id = o.mime_type) AS mime_type,
    CASE typeof (o.commit_hash) WHEN 'blob' THEN lower (CASE length (o.commit_hash) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (o.commit_hash), 1, 8), substr (hex (o.commit_hash), 9, 4), substr (hex (o.commit_hash), 13, 4), substr (hex (o.commit_hash), 17, 4),
        substr (hex (o.commit_hash), 21)) ELSE hex (o.commit_hash) END) ELSE o.commit_hash END AS commit_hash,
    o.branch,
    ifnull ((SELECT word FROM words WHERE id = o.user_id), 'default') AS user_id,
    CASE o.encoding WHEN 0 THEN 'plain' ELSE 'zstd' END AS encoding,
    length (o.content) AS stored_size,
    CASE o.encoding WHEN 0 THEN o.content END AS content
FROM outputs_plain o;

DROP VIEW task_metrics_view;
CREATE VIEW task_metrics_view AS SELECT
    m.position,
    CASE typeof (m.task_id) WHEN 'blob' THEN lower (CASE length (m.task_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (m.task_id), 1, 8), substr (hex (m.task_id), 9, 4), substr (hex (m.task_id), 13, 4), substr (hex (m.task_id), 17, 4),
        substr (hex (m.task_id), 21)) ELSE hex (m.task_id) END) ELSE m.task_id END AS task_id,
    (SELECT word FROM words WHERE id = m.name) AS name,
    m.value,
    (SELECT word FROM words WHERE id = m.unit) AS unit,
    strftime ('%Y-%m-%dT%H:%M:%S', m.time / 1000000, 'unixepoch') || printf ('.%06dZ', m.time % 1000000) AS timestamp,
    1 + (SELECT count (*) FROM task_history r WHERE r.position - r.task_back = m.task AND r.position <= m.position
        AND r.state_to = 1 AND r.state_from >= 6) AS attempt,
    ifnull ((SELECT word FROM words WHERE id = m.user_id), 'default') AS user_id
FROM metrics_plain m;

DROP VIEW producers_view;
CREATE VIEW producers_view AS SELECT
    name, sequence, instance, lease_ms,
    CASE status WHEN 1 THEN 'present' WHEN 2 THEN 'left' WHEN 4 THEN 'left' ELSE 'expired' END AS status,
    strftime ('%Y-%m-%dT%H:%M:%S', first_seen_at / 1000000, 'unixepoch') || printf ('.%06dZ', first_seen_at % 1000000) AS first_seen_at,
    strftime ('%Y-%m-%dT%H:%M:%S', last_seen_at / 1000000, 'unixepoch') || printf ('.%06dZ', last_seen_at % 1000000) AS last_seen_at
FROM producers;
