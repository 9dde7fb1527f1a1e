-- Tasks whose contents were erased. Each of their events keeps its row, with its position, type, time and states; its
-- column extra has the hash of its line in the tree of doc/PROOF.md, as {"erased_leaf":"64 hex digits"}.
CREATE TABLE erased_tasks (
    id       INTEGER PRIMARY KEY,           -- tasks.id
    position INTEGER NOT NULL,              -- of the audit.recorded that says so
    time     INTEGER NOT NULL,
    events   INTEGER NOT NULL,              -- how many were erased
    reason   TEXT NOT NULL
) STRICT;
CREATE INDEX erased_tasks_by_position ON erased_tasks (position);

-- Event tables are append-only: a row of an erased task may change once, to its erased form.
DROP TRIGGER task_history_no_update;
CREATE TRIGGER task_history_no_update BEFORE UPDATE ON task_history
WHEN new.position IS NOT old.position OR ifnull (old.extra, '') GLOB '{"erased_leaf":"*' OR ifnull (new.extra, '') NOT GLOB '{"erased_leaf":"*'
    OR NOT EXISTS (SELECT 1 FROM erased_tasks WHERE id = old.position - old.task_back)
BEGIN SELECT RAISE (ABORT, 'task_history is append-only'); END;
DROP TRIGGER task_outputs_no_update;
CREATE TRIGGER task_outputs_no_update BEFORE UPDATE ON task_outputs
WHEN new.position IS NOT old.position OR ifnull (old.extra, '') GLOB '{"erased_leaf":"*' OR ifnull (new.extra, '') NOT GLOB '{"erased_leaf":"*'
    OR NOT EXISTS (SELECT 1 FROM erased_tasks WHERE id = old.position - old.task_back)
BEGIN SELECT RAISE (ABORT, 'task_outputs is append-only'); END;
DROP TRIGGER task_metrics_no_update;
CREATE TRIGGER task_metrics_no_update BEFORE UPDATE ON task_metrics
WHEN new.position IS NOT old.position OR ifnull (old.extra, '') GLOB '{"erased_leaf":"*' OR ifnull (new.extra, '') NOT GLOB '{"erased_leaf":"*'
    OR NOT EXISTS (SELECT 1 FROM erased_tasks WHERE id = old.position - old.task_back)
BEGIN SELECT RAISE (ABORT, 'task_metrics is append-only'); END;
DROP TRIGGER cli_session_history_no_update;
CREATE TRIGGER cli_session_history_no_update BEFORE UPDATE ON cli_session_history
WHEN new.position IS NOT old.position OR ifnull (old.extra, '') GLOB '{"erased_leaf":"*' OR ifnull (new.extra, '') NOT GLOB '{"erased_leaf":"*'
    OR NOT EXISTS (SELECT 1 FROM cli_sessions s JOIN tasks t ON t.task_id = s.task_id JOIN erased_tasks e ON e.id = t.id
        WHERE s.id = old.session)
BEGIN SELECT RAISE (ABORT, 'cli_session_history is append-only'); END;
DROP TRIGGER cli_session_commands_no_update;
CREATE TRIGGER cli_session_commands_no_update BEFORE UPDATE ON cli_session_commands
WHEN new.position IS NOT old.position OR ifnull (old.extra, '') GLOB '{"erased_leaf":"*' OR ifnull (new.extra, '') NOT GLOB '{"erased_leaf":"*'
    OR NOT EXISTS (SELECT 1 FROM cli_sessions s JOIN tasks t ON t.task_id = s.task_id JOIN erased_tasks e ON e.id = t.id
        WHERE s.id = old.session)
BEGIN SELECT RAISE (ABORT, 'cli_session_commands is append-only'); END;
