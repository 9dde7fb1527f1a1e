-- The sessions of archived tasks move to archives, too, with their commands. As of archived_tasks: a row there counts if, and
-- only if, archived_sessions names its archive.

ALTER TABLE archives ADD COLUMN sessions INTEGER NOT NULL DEFAULT 0;    -- how many are there

-- What stays of a session: its id stays unique, and its events are counted.
CREATE TABLE archived_sessions (
    id         INTEGER PRIMARY KEY,         -- cli_sessions.id
    session_id ANY NOT NULL UNIQUE,         -- as cli_sessions.session_id
    archive    INTEGER NOT NULL,            -- archives.id
    events     INTEGER NOT NULL,            -- rows of it in cli_session_history, cli_session_commands there
    task       INTEGER NOT NULL,            -- tasks.id of its task
    user_id    TEXT                         -- as cli_sessions.user_id
) STRICT;

-- The sessions of a task that is erased.
CREATE INDEX archived_sessions_by_task ON archived_sessions (task);

-- Event tables are append-only: rows leave only with their whole session.
DROP TRIGGER cli_session_history_no_delete;
CREATE TRIGGER cli_session_history_no_delete BEFORE DELETE ON cli_session_history
WHEN NOT EXISTS (SELECT 1 FROM archived_sessions WHERE id = old.session)
BEGIN SELECT RAISE (ABORT, 'cli_session_history is append-only'); END;
DROP TRIGGER cli_session_commands_no_delete;
CREATE TRIGGER cli_session_commands_no_delete BEFORE DELETE ON cli_session_commands
WHEN NOT EXISTS (SELECT 1 FROM archived_sessions WHERE id = old.session)
BEGIN SELECT RAISE (ABORT, 'cli_session_commands is append-only'); END;

-- Rows about a session with what the program reads of the session: of the same file.
CREATE VIEW session_history_plain AS SELECT
    h.position, h.session, h.previous, h.kind, h.state_from, h.state_to, h.time, h.user_id, h.fields, h.extra, s.session_id
FROM cli_session_history h LEFT JOIN cli_sessions s ON s.id = h.session;

CREATE VIEW session_commands_plain AS SELECT
    c.position, c.session, c.previous, c.time, c.user_id, c.execution_time_ms, c.exit_code, c.extra, c.command, c.encoding,
    c.output, s.session_id, s.task_id, s.started, s.last_history
FROM cli_session_commands c LEFT JOIN cli_sessions s ON s.id = c.session;
