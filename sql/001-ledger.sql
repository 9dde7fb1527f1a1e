-- The ledger of Stele, version 1.
--
-- An event lives in exactly one row of one of the six event tables (task_history,
-- task_outputs, task_metrics, cli_session_history, cli_session_commands,
-- user_preference_history), and the integer key of that row is its position:
-- 1, 2, 3 ... over all six, without a gap. These tables are append-only.
-- The others (tasks, task_states, cli_sessions, user_preferences, ...) are derived
-- from the events and may change.
--
-- Times are microseconds since the Unix epoch, UTC. Columns named like a
-- vocabulary (state, kind, output_type) hold codes; columns that repeat the
-- same few texts (role, provider, model, unit, ...) hold numbers of the table
-- words. Ids are stored short: a UUID in lower case as its 16 bytes, a hash of 40 or
-- 64 hex digits as its 20 or 32 bytes, anything else as text. Longer texts are BLOBs:
-- zstd frames, most of them made with a dictionary of the table dictionaries.
--
-- In rows about a task, positions and times are relative to those of the task. The views
-- named ..._plain show absolute ones; the program reads these. The other views at the end
-- show words, ids as text and RFC 3339 times. To find a task by its UUID, use the bytes that
-- the index has, which are the UUID without its dashes:
--   SELECT * FROM task_summary WHERE key = x'0b5cae2a6e2144f0a2d3a6e6dd4c7c1b'

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;

-- Texts that repeat, each stored once.
CREATE TABLE words (
    id   INTEGER PRIMARY KEY,
    word TEXT NOT NULL UNIQUE
) STRICT;

-- zstd dictionaries, trained on texts of this ledger; frames refer to them by these ids.
CREATE TABLE dictionaries (
    id         INTEGER PRIMARY KEY,
    dictionary BLOB NOT NULL
) STRICT;

CREATE TABLE vocabulary (
    kind TEXT NOT NULL,             -- 'task_state', 'session_state', 'output_type', 'history_kind'
    code INTEGER NOT NULL,
    word TEXT NOT NULL,
    PRIMARY KEY (kind, code)
) STRICT, WITHOUT ROWID;

-- One row per transaction: its positions and the time of its commit. The times never
-- go back, although the clock may.
CREATE TABLE commits (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL,
    time  INTEGER NOT NULL
) STRICT;

-- Fields of a task that rarely change. id is the position of the first event about
-- the task. A task without a task.created so far (its producers race) is a
-- placeholder: created is NULL.
CREATE TABLE tasks (
    id                  INTEGER PRIMARY KEY,
    task_id             ANY NOT NULL UNIQUE, -- TEXT, or the bytes of a UUID
    since               INTEGER NOT NULL,   -- seconds: the times of its events count from there
    created             INTEGER,            -- position of its task.created
    user_id             INTEGER,            -- words
    title               TEXT,
    description         ANY,                -- TEXT, or a frame of it
    branch              TEXT,
    worktree_path       TEXT,
    base_branch         INTEGER,            -- words
    commit_hash         ANY,                -- TEXT, or its bytes
    target_dir          INTEGER,            -- words
    full_access         INTEGER,
    provider_override   INTEGER,            -- words
    repository_url      INTEGER,            -- words
    acceptance_criteria ANY,                -- JSON, or a frame of it
    metadata            ANY,                -- JSON, or a frame of it
    parent_id           ANY                 -- as task_id
) STRICT;

CREATE INDEX tasks_by_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;

-- Fields of a task that change with its events, in a narrow row.
-- last_* are positions: the heads of the chains that the column previous of the
-- event tables continues; last_error is the event that holds the last error. They count
-- from the task's own position, the times named ..._after from created_at.
CREATE TABLE task_states (
    task            INTEGER PRIMARY KEY,    -- tasks.id
    state           INTEGER NOT NULL,
    role            INTEGER,                -- words
    provider        INTEGER,                -- words
    model           INTEGER,                -- words
    flags           INTEGER NOT NULL,       -- 1 created, 2 a state was given, 4 interrupted by the broker
    owner           INTEGER,                -- producers.id of who set it running
    created_at      INTEGER NOT NULL,
    updated_after   INTEGER NOT NULL,
    started_after   INTEGER,
    completed_after INTEGER,
    error_count     INTEGER NOT NULL,
    last_error      INTEGER,
    last_history    INTEGER,
    last_output     INTEGER,
    last_metric     INTEGER,
    room            BLOB                    -- zeros: what the row will grow by until the task has ended
) STRICT;

CREATE INDEX task_states_by_state ON task_states (state, role, created_at);

-- Number of tasks per state, role, provider and model.
CREATE TABLE task_counts (
    state    INTEGER NOT NULL,
    role     INTEGER NOT NULL,              -- words, 0 is none
    provider INTEGER NOT NULL,              -- words, 0 is none
    model    INTEGER NOT NULL,              -- words, 0 is none
    count    INTEGER NOT NULL,
    PRIMARY KEY (state, role, provider, model)
) STRICT, WITHOUT ROWID;

-- task.created, task.updated, task.state_changed. The fields of task.created are
-- in tasks; a task.updated that changes them keeps the previous values in replaced,
-- so that every earlier state of a task can be reconstructed.
CREATE TABLE task_history (
    position      INTEGER PRIMARY KEY,
    task_back     INTEGER NOT NULL,         -- so many positions back is the task's first event
    previous_back INTEGER,                  -- and the same task's history row before this one
    kind          INTEGER NOT NULL,         -- 1 created, 2 updated, 3 state changed, 4 interrupted by the broker
    state_from    INTEGER,
    state_to      INTEGER NOT NULL,
    elapsed       INTEGER NOT NULL,         -- microseconds after tasks.since
    provider      INTEGER,                  -- words, as the event gave it
    model         INTEGER,                  -- words, as the event gave it
    user_id       INTEGER,                  -- words
    error_message TEXT,
    details       ANY,                      -- JSON, or a frame of it
    changes       TEXT,                     -- JSON: fields given by a task.updated
    replaced      TEXT,                     -- JSON: what those fields were before
    extra         TEXT                      -- JSON: keys the protocol does not know
) STRICT;

CREATE TABLE task_outputs (
    position      INTEGER PRIMARY KEY,
    task_back     INTEGER NOT NULL,         -- as in task_history
    previous_back INTEGER,
    output_type   INTEGER NOT NULL,
    elapsed       INTEGER NOT NULL,
    user_id       INTEGER,                  -- words
    file_path     TEXT,
    file_size     INTEGER,
    mime_type     INTEGER,                  -- words
    commit_hash   ANY,                      -- TEXT, or its bytes
    branch        TEXT,
    extra         TEXT,                     -- JSON
    encoding      INTEGER NOT NULL,         -- 0 as it is, 1 zstd of text, 2 zstd of bytes
    content       ANY NOT NULL              -- TEXT, or BLOB
) STRICT;

CREATE TABLE task_metrics (
    position      INTEGER PRIMARY KEY,
    task_back     INTEGER NOT NULL,         -- as in task_history
    previous_back INTEGER,
    name          INTEGER NOT NULL,         -- words
    value         ANY NOT NULL,             -- INTEGER or REAL; TEXT for what neither can hold
    unit          INTEGER,                  -- words
    elapsed       INTEGER NOT NULL,
    user_id       INTEGER,                  -- words
    extra         TEXT                      -- JSON
) STRICT;

CREATE TABLE cli_sessions (
    id                      INTEGER PRIMARY KEY,    -- position of its first event
    session_id              ANY NOT NULL UNIQUE,    -- as tasks.task_id
    started                 INTEGER,                -- position of its last session.started, NULL: placeholder
    state                   INTEGER NOT NULL,
    cli_tool                TEXT,
    mode                    TEXT,
    current_directory       TEXT,
    pid                     INTEGER,
    authentication_required INTEGER,
    auth_prompt             TEXT,
    task_id                 ANY,                    -- as tasks.task_id
    user_id                 TEXT,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL,
    completed_at            INTEGER,
    command_count           INTEGER NOT NULL,
    last_history            INTEGER,
    last_command            INTEGER,
    position                INTEGER NOT NULL
) STRICT;

CREATE INDEX cli_sessions_by_task ON cli_sessions (task_id) WHERE task_id IS NOT NULL;

-- session.started and session.state_changed.
CREATE TABLE cli_session_history (
    position   INTEGER PRIMARY KEY,
    session    INTEGER NOT NULL,            -- cli_sessions.id
    previous   INTEGER,
    kind       INTEGER NOT NULL,            -- 1 started, 3 state changed
    state_from INTEGER,
    state_to   INTEGER NOT NULL,
    time       INTEGER NOT NULL,
    user_id    INTEGER,                     -- words
    fields     TEXT,                        -- JSON: what a session.started gave
    extra      TEXT                         -- JSON
) STRICT;

CREATE TABLE cli_session_commands (
    position          INTEGER PRIMARY KEY,
    session           INTEGER NOT NULL,     -- cli_sessions.id
    previous          INTEGER,
    time              INTEGER NOT NULL,
    user_id           INTEGER,              -- words
    execution_time_ms ANY,                  -- INTEGER or REAL
    exit_code         INTEGER,
    extra             TEXT,                 -- JSON
    command           ANY NOT NULL,         -- TEXT, or a frame of it
    encoding          INTEGER NOT NULL,     -- of output: 0 as it is, 1 zstd of text, 2 zstd of bytes
    output            ANY                   -- TEXT, or BLOB
) STRICT;

CREATE TABLE user_preferences (
    user_id               TEXT PRIMARY KEY,
    preferred_provider    TEXT,
    preferred_model       TEXT,
    full_access_preferred INTEGER,
    role_preferences      TEXT,             -- JSON
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL,
    position              INTEGER NOT NULL
) STRICT;

CREATE TABLE user_preference_history (
    position INTEGER PRIMARY KEY,
    user_id  INTEGER,                       -- words, NULL: the event gave none
    time     INTEGER NOT NULL,
    fields   TEXT NOT NULL,                 -- JSON: what the event gave
    extra    TEXT                           -- JSON
) STRICT;

-- Producers: the last durable sequence, and the current run.
CREATE TABLE producers (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    sequence      INTEGER NOT NULL,
    instance      TEXT,
    lease_ms      INTEGER,                  -- NULL: its silence means nothing
    status        INTEGER NOT NULL,         -- 1 present, 2 said goodbye, 3 its lease ran out
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL          -- its last hello, goodbye or expiry
) STRICT;

-- Runs of a producer that a newer run has fenced off.
CREATE TABLE producer_fences (
    producer  INTEGER NOT NULL,             -- producers.id
    instance  TEXT NOT NULL,
    fenced_at INTEGER NOT NULL,
    PRIMARY KEY (producer, instance)
) STRICT, WITHOUT ROWID;

-- Refused events, as they arrived, with the reason.
CREATE TABLE rejected_events (
    id         INTEGER PRIMARY KEY,
    producer   INTEGER,                     -- producers.id, NULL: from a pipeline
    sequence   INTEGER,
    code       TEXT NOT NULL,
    field      TEXT,
    message    TEXT NOT NULL,
    time       INTEGER NOT NULL,
    retried_at INTEGER,                     -- accepted by a retry then
    position   INTEGER,                     -- and stored there
    event      BLOB NOT NULL                -- msgpack, byte for byte
) STRICT;

CREATE INDEX rejected_events_open ON rejected_events (id) WHERE retried_at IS NULL;

-- Cursors of followers (Redis keeps its own).
CREATE TABLE followers (
    name       TEXT PRIMARY KEY,
    position   INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Missing ends of the history that were accepted as lost (steled --accept-loss).
-- After that, positions from first on were assigned again, under a new id of the ledger.
CREATE TABLE losses (
    id        INTEGER PRIMARY KEY,
    time      INTEGER NOT NULL,             -- when it was accepted
    ledger_id TEXT NOT NULL,                -- the ledger that had them
    first     INTEGER NOT NULL,             -- positions; last < first: none, or not known
    last      INTEGER NOT NULL,
    rejected  INTEGER NOT NULL,             -- how many refused events
    evidence  TEXT NOT NULL                 -- who knew of them
) STRICT;

-- Event tables are append-only.
CREATE TRIGGER task_history_no_update BEFORE UPDATE ON task_history
BEGIN SELECT RAISE (ABORT, 'task_history is append-only'); END;
CREATE TRIGGER task_history_no_delete BEFORE DELETE ON task_history
BEGIN SELECT RAISE (ABORT, 'task_history is append-only'); END;
CREATE TRIGGER task_outputs_no_update BEFORE UPDATE ON task_outputs
BEGIN SELECT RAISE (ABORT, 'task_outputs is append-only'); END;
CREATE TRIGGER task_outputs_no_delete BEFORE DELETE ON task_outputs
BEGIN SELECT RAISE (ABORT, 'task_outputs is append-only'); END;
CREATE TRIGGER task_metrics_no_update BEFORE UPDATE ON task_metrics
BEGIN SELECT RAISE (ABORT, 'task_metrics is append-only'); END;
CREATE TRIGGER task_metrics_no_delete BEFORE DELETE ON task_metrics
BEGIN SELECT RAISE (ABORT, 'task_metrics is append-only'); END;
CREATE TRIGGER cli_session_history_no_update BEFORE UPDATE ON cli_session_history
BEGIN SELECT RAISE (ABORT, 'cli_session_history is append-only'); END;
CREATE TRIGGER cli_session_history_no_delete BEFORE DELETE ON cli_session_history
BEGIN SELECT RAISE (ABORT, 'cli_session_history is append-only'); END;
CREATE TRIGGER cli_session_commands_no_update BEFORE UPDATE ON cli_session_commands
BEGIN SELECT RAISE (ABORT, 'cli_session_commands is append-only'); END;
CREATE TRIGGER cli_session_commands_no_delete BEFORE DELETE ON cli_session_commands
BEGIN SELECT RAISE (ABORT, 'cli_session_commands is append-only'); END;
CREATE TRIGGER user_preference_history_no_update BEFORE UPDATE ON user_preference_history
BEGIN SELECT RAISE (ABORT, 'user_preference_history is append-only'); END;
CREATE TRIGGER user_preference_history_no_delete BEFORE DELETE ON user_preference_history
BEGIN SELECT RAISE (ABORT, 'user_preference_history is append-only'); END;

INSERT INTO vocabulary VALUES
    ('task_state', 1, 'queued'), ('task_state', 2, 'starting'), ('task_state', 3, 'running'),
    ('task_state', 4, 'paused'), ('task_state', 5, 'completing'), ('task_state', 6, 'passed'),
    ('task_state', 7, 'failed'), ('task_state', 8, 'error'), ('task_state', 9, 'cancelled'),
    ('task_state', 10, 'timeout'),
    ('session_state', 1, 'initializing'), ('session_state', 2, 'starting'),
    ('session_state', 3, 'running'), ('session_state', 4, 'waiting_input'),
    ('session_state', 5, 'processing'), ('session_state', 6, 'completed'),
    ('session_state', 7, 'error'), ('session_state', 8, 'terminated'),
    ('output_type', 1, 'stdout'), ('output_type', 2, 'stderr'), ('output_type', 3, 'log'),
    ('output_type', 4, 'artifact'), ('output_type', 5, 'commit'), ('output_type', 6, 'diagnostic'),
    ('history_kind', 1, 'created'), ('history_kind', 2, 'updated'),
    ('history_kind', 3, 'state_changed'), ('history_kind', 4, 'interrupted');

-- Rows about tasks with plain numbers: keys, positions, microseconds.

CREATE VIEW states_plain AS SELECT
    task, state, role, provider, model, flags, owner, created_at,
    created_at + updated_after AS updated_at,
    created_at + started_after AS started_at,
    created_at + completed_after AS completed_at,
    error_count,
    task + last_error AS last_error_at,
    task + last_history AS last_history,
    task + last_output AS last_output,
    task + last_metric AS last_metric,
    task + max (ifnull (last_history, 0), ifnull (last_output, 0), ifnull (last_metric, 0)) AS position
FROM task_states;

CREATE VIEW history_plain AS SELECT
    h.position, h.position - h.task_back AS task, h.position - h.previous_back AS previous,
    h.kind, h.state_from, h.state_to, t.since * 1000000 + h.elapsed AS time,
    h.provider, h.model, h.user_id, h.error_message, h.details, h.changes, h.replaced, h.extra, t.task_id
FROM task_history h LEFT JOIN tasks t ON t.id = h.position - h.task_back;

CREATE VIEW outputs_plain AS SELECT
    o.position, o.position - o.task_back AS task, o.position - o.previous_back AS previous,
    o.output_type, t.since * 1000000 + o.elapsed AS time, o.user_id, o.file_path, o.file_size, o.mime_type,
    o.commit_hash, o.branch, o.extra, o.encoding, o.content, t.task_id
FROM task_outputs o LEFT JOIN tasks t ON t.id = o.position - o.task_back;

CREATE VIEW metrics_plain AS SELECT
    m.position, m.position - m.task_back AS task, m.position - m.previous_back AS previous,
    m.name, m.value, m.unit, t.since * 1000000 + m.elapsed AS time, m.user_id, m.extra, t.task_id
FROM task_metrics m LEFT JOIN tasks t ON t.id = m.position - m.task_back;

-- For people: words instead of numbers, RFC 3339 times.

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
    (SELECT error_message FROM task_history WHERE position = s.last_error_at) AS last_error,
    (s.flags & 4) / 4 AS interrupted,
    t.created IS NULL AS placeholder,
    s.position,
    t.task_id AS key
FROM tasks t JOIN states_plain s ON s.task = t.id;

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
    h.error_message,
    CASE typeof (h.details) WHEN 'blob' THEN NULL ELSE h.details END AS details, h.changes, h.extra
FROM history_plain h;

CREATE VIEW task_outputs_view AS SELECT
    o.position,
    CASE typeof (o.task_id) WHEN 'blob' THEN lower (CASE length (o.task_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (o.task_id), 1, 8), substr (hex (o.task_id), 9, 4), substr (hex (o.task_id), 13, 4), substr (hex (o.task_id), 17, 4),
        substr (hex (o.task_id), 21)) ELSE hex (o.task_id) END) ELSE o.task_id END AS task_id,
    (SELECT word FROM vocabulary WHERE kind = 'output_type' AND code = o.output_type) AS output_type,
    strftime ('%Y-%m-%dT%H:%M:%S', o.time / 1000000, 'unixepoch') || printf ('.%06dZ', o.time % 1000000) AS timestamp,
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

CREATE VIEW task_metrics_view AS SELECT
    m.position,
    CASE typeof (m.task_id) WHEN 'blob' THEN lower (CASE length (m.task_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (m.task_id), 1, 8), substr (hex (m.task_id), 9, 4), substr (hex (m.task_id), 13, 4), substr (hex (m.task_id), 17, 4),
        substr (hex (m.task_id), 21)) ELSE hex (m.task_id) END) ELSE m.task_id END AS task_id,
    (SELECT word FROM words WHERE id = m.name) AS name,
    m.value,
    (SELECT word FROM words WHERE id = m.unit) AS unit,
    strftime ('%Y-%m-%dT%H:%M:%S', m.time / 1000000, 'unixepoch') || printf ('.%06dZ', m.time % 1000000) AS timestamp,
    ifnull ((SELECT word FROM words WHERE id = m.user_id), 'default') AS user_id
FROM metrics_plain m;

CREATE VIEW cli_sessions_view AS SELECT
    CASE typeof (session_id) WHEN 'blob' THEN lower (CASE length (session_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (session_id), 1, 8), substr (hex (session_id), 9, 4), substr (hex (session_id), 13, 4), substr (hex (session_id), 17, 4),
        substr (hex (session_id), 21)) ELSE hex (session_id) END) ELSE session_id END AS session_id,
    (SELECT word FROM vocabulary WHERE kind = 'session_state' AND code = state) AS state,
    cli_tool, mode, current_directory, pid, authentication_required, auth_prompt,
    CASE typeof (task_id) WHEN 'blob' THEN lower (CASE length (task_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (task_id), 1, 8), substr (hex (task_id), 9, 4), substr (hex (task_id), 13, 4), substr (hex (task_id), 17, 4),
        substr (hex (task_id), 21)) ELSE hex (task_id) END) ELSE task_id END AS task_id,
    ifnull (user_id, 'default') AS user_id,
    strftime ('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch') || printf ('.%06dZ', created_at % 1000000) AS created_at,
    strftime ('%Y-%m-%dT%H:%M:%S', updated_at / 1000000, 'unixepoch') || printf ('.%06dZ', updated_at % 1000000) AS updated_at,
    strftime ('%Y-%m-%dT%H:%M:%S', completed_at / 1000000, 'unixepoch') || printf ('.%06dZ', completed_at % 1000000) AS completed_at,
    command_count, position
FROM cli_sessions;

CREATE VIEW active_cli_sessions AS SELECT * FROM cli_sessions_view
WHERE state NOT IN ('completed', 'error', 'terminated');

CREATE VIEW cli_session_history_view AS SELECT
    h.position,
    CASE typeof (s.session_id) WHEN 'blob' THEN lower (CASE length (s.session_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (s.session_id), 1, 8), substr (hex (s.session_id), 9, 4), substr (hex (s.session_id), 13, 4), substr (hex (s.session_id), 17, 4),
        substr (hex (s.session_id), 21)) ELSE hex (s.session_id) END) ELSE s.session_id END AS session_id,
    CASE h.kind WHEN 1 THEN 'started' ELSE 'state_changed' END AS kind,
    (SELECT word FROM vocabulary WHERE kind = 'session_state' AND code = h.state_from) AS state_from,
    (SELECT word FROM vocabulary WHERE kind = 'session_state' AND code = h.state_to) AS state_to,
    strftime ('%Y-%m-%dT%H:%M:%S', h.time / 1000000, 'unixepoch') || printf ('.%06dZ', h.time % 1000000) AS timestamp,
    h.fields, h.extra
FROM cli_session_history h JOIN cli_sessions s ON s.id = h.session;

CREATE VIEW cli_session_commands_view AS SELECT
    c.position,
    CASE typeof (s.session_id) WHEN 'blob' THEN lower (CASE length (s.session_id) WHEN 16 THEN printf ('%s-%s-%s-%s-%s',
        substr (hex (s.session_id), 1, 8), substr (hex (s.session_id), 9, 4), substr (hex (s.session_id), 13, 4), substr (hex (s.session_id), 17, 4),
        substr (hex (s.session_id), 21)) ELSE hex (s.session_id) END) ELSE s.session_id END AS session_id,
    strftime ('%Y-%m-%dT%H:%M:%S', c.time / 1000000, 'unixepoch') || printf ('.%06dZ', c.time % 1000000) AS timestamp,
    CASE typeof (c.command) WHEN 'blob' THEN NULL ELSE c.command END AS command, c.exit_code, c.execution_time_ms,
    CASE c.encoding WHEN 0 THEN 'plain' ELSE 'zstd' END AS encoding,
    length (c.output) AS stored_size,
    CASE c.encoding WHEN 0 THEN c.output END AS output
FROM cli_session_commands c JOIN cli_sessions s ON s.id = c.session;

CREATE VIEW commits_view AS SELECT
    first, last, last - first + 1 AS events, strftime ('%Y-%m-%dT%H:%M:%S', time / 1000000, 'unixepoch') || printf ('.%06dZ', time % 1000000) AS committed_at FROM commits;

CREATE VIEW producers_view AS SELECT
    name, sequence, instance, lease_ms,
    CASE status WHEN 1 THEN 'present' WHEN 2 THEN 'left' ELSE 'expired' END AS status,
    strftime ('%Y-%m-%dT%H:%M:%S', first_seen_at / 1000000, 'unixepoch') || printf ('.%06dZ', first_seen_at % 1000000) AS first_seen_at,
    strftime ('%Y-%m-%dT%H:%M:%S', last_seen_at / 1000000, 'unixepoch') || printf ('.%06dZ', last_seen_at % 1000000) AS last_seen_at
FROM producers;

CREATE VIEW rejected_events_view AS SELECT
    r.id, p.name AS producer, r.sequence, r.code, r.field, r.message,
    strftime ('%Y-%m-%dT%H:%M:%S', r.time / 1000000, 'unixepoch') || printf ('.%06dZ', r.time % 1000000) AS time, length (r.event) AS event_size,
    strftime ('%Y-%m-%dT%H:%M:%S', r.retried_at / 1000000, 'unixepoch') || printf ('.%06dZ', r.retried_at % 1000000) AS retried_at, r.position
FROM rejected_events r LEFT JOIN producers p ON p.id = r.producer;

CREATE VIEW losses_view AS SELECT
    id, strftime ('%Y-%m-%dT%H:%M:%S', time / 1000000, 'unixepoch') || printf ('.%06dZ', time % 1000000) AS accepted_at,
    ledger_id, first, last, last - first + 1 AS events, rejected, evidence
FROM losses;
