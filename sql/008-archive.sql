-- Tasks that ended long ago move to archives: files next to the ledger with this schema, one per year of
-- completion (LEDGER.archive-2026). A row there counts if, and only if, archived_tasks names its archive: so
-- one transaction of the ledger moves a task out, or back, whatever happens to the other file.

CREATE TABLE archives (
    id         INTEGER PRIMARY KEY,         -- the year
    archive_id TEXT NOT NULL,               -- random, also in meta of the archive
    position   INTEGER NOT NULL,            -- no event of its tasks is after it
    tasks      INTEGER NOT NULL             -- how many are there
) STRICT;

-- What stays of a task: its id stays unique, and its events are counted.
CREATE TABLE archived_tasks (
    id      INTEGER PRIMARY KEY,            -- tasks.id
    task_id ANY NOT NULL UNIQUE,            -- as tasks.task_id
    archive INTEGER NOT NULL,               -- archives.id
    events  INTEGER NOT NULL,               -- rows of it in task_history, task_outputs, task_metrics there
    user_id INTEGER                         -- words
) STRICT;

-- Event tables are append-only: rows leave only with their whole task.
DROP TRIGGER task_history_no_delete;
CREATE TRIGGER task_history_no_delete BEFORE DELETE ON task_history
WHEN NOT EXISTS (SELECT 1 FROM archived_tasks WHERE id = old.position - old.task_back)
BEGIN SELECT RAISE (ABORT, 'task_history is append-only'); END;
DROP TRIGGER task_outputs_no_delete;
CREATE TRIGGER task_outputs_no_delete BEFORE DELETE ON task_outputs
WHEN NOT EXISTS (SELECT 1 FROM archived_tasks WHERE id = old.position - old.task_back)
BEGIN SELECT RAISE (ABORT, 'task_outputs is append-only'); END;
DROP TRIGGER task_metrics_no_delete;
CREATE TRIGGER task_metrics_no_delete BEFORE DELETE ON task_metrics
WHEN NOT EXISTS (SELECT 1 FROM archived_tasks WHERE id = old.position - old.task_back)
BEGIN SELECT RAISE (ABORT, 'task_metrics is append-only'); END;
