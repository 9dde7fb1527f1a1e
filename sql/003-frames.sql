-- More columns may hold compressed texts, as others do since version 1: TEXT, or a zstd frame
-- of it as a BLOB. Existing rows stay as they are: a column of type ANY stores a TEXT as a
-- column of type TEXT does, so that only the declarations change, however large the ledger is.
PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = replace (replace (replace (replace (sql,
    'error_message TEXT,', 'error_message ANY,                      -- TEXT, or a frame of it'),
    'changes       TEXT,', 'changes       ANY, '),
    'replaced      TEXT,', 'replaced      ANY, '),
    'extra         TEXT ', 'extra         ANY  ')
    WHERE type = 'table' AND name = 'task_history';

UPDATE sqlite_schema SET sql = replace (sql, 'extra         TEXT', 'extra         ANY ')
    WHERE type = 'table' AND name IN ('task_outputs', 'task_metrics');

UPDATE sqlite_schema SET sql = replace (sql, 'extra             TEXT', 'extra             ANY ')
    WHERE type = 'table' AND name = 'cli_session_commands';

UPDATE sqlite_schema SET sql = replace (replace (sql,
    'fields     TEXT', 'fields     ANY '),
    'extra      TEXT', 'extra      ANY ')
    WHERE type = 'table' AND name = 'cli_session_history';

UPDATE sqlite_schema SET sql = replace (replace (sql,
    'fields   TEXT', 'fields   ANY '),
    'extra    TEXT', 'extra    ANY ')
    WHERE type = 'table' AND name = 'user_preference_history';

-- And texts that a task may well have for itself (a folder of its own) need not be words.
UPDATE sqlite_schema SET sql = replace (replace (replace (replace (sql,
    'base_branch         INTEGER,            -- words', 'base_branch         ANY,                -- words, or the text itself'),
    'target_dir          INTEGER,            -- words', 'target_dir          ANY,                -- words, or the text itself'),
    'provider_override   INTEGER,            -- words', 'provider_override   ANY,                -- words, or the text itself'),
    'repository_url      INTEGER,            -- words', 'repository_url      ANY,                -- words, or the text itself')
    WHERE type = 'table' AND name = 'tasks';

PRAGMA writable_schema = RESET;

-- For people: what is compressed is NULL, as details are; of an error it is said.
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
    s.error_count,
    (SELECT CASE typeof (error_message) WHEN 'blob' THEN '(long, and compressed: stele get shows it)' ELSE error_message END
        FROM task_history WHERE position = s.last_error_at) AS last_error,
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
    (SELECT word FROM words WHERE id = h.provider) AS provider,
    (SELECT word FROM words WHERE id = h.model) AS model,
    ifnull ((SELECT word FROM words WHERE id = h.user_id), 'default') AS user_id,
    CASE typeof (h.error_message) WHEN 'blob' THEN '(long, and compressed: stele history shows it)' ELSE h.error_message END AS error_message,
    CASE typeof (h.details) WHEN 'blob' THEN NULL ELSE h.details END AS details,
    CASE typeof (h.changes) WHEN 'blob' THEN NULL ELSE h.changes END AS changes,
    CASE typeof (h.extra) WHEN 'blob' THEN NULL ELSE h.extra END AS extra
FROM history_plain h;

DROP VIEW cli_session_history_view;
CREATE VIEW cli_session_history_view AS SELECT
    h.position,
    CASE typeof (s.session_id) WHEN 'blob' THEN lower (CASE length (s.session_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (s.session_id), 1, 8), substr (hex (s.session_id), 9, 4), substr (hex (s.session_id), 13, 4), substr (hex (s.session_id), 17, 4),
        substr (hex (s.session_id), 21)) ELSE hex (s.session_id) END) ELSE s.session_id END AS session_id,
    CASE h.kind WHEN 1 THEN 'started' ELSE 'state_changed' END AS kind,
    (SELECT word FROM vocabulary WHERE kind = 'session_state' AND code = h.state_from) AS state_from,
    (SELECT word FROM vocabulary WHERE kind = 'session_state' AND code = h.state_to) AS state_to,
    strftime ('%Y-%m-%dT%H:%M:%S', h.time / 1000000, 'unixepoch') || printf ('.%06dZ', h.time % 1000000) AS timestamp,
    CASE typeof (h.fields) WHEN 'blob' THEN NULL ELSE h.fields END AS fields,
    CASE typeof (h.extra) WHEN 'blob' THEN NULL ELSE h.extra END AS extra
FROM cli_session_history h JOIN cli_sessions s ON s.id = h.session;
