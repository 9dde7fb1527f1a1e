-- Which times occur where in the log. The log is in the order of positions, and mostly in
-- the order of times, too: a query by time reads only the zones that can match.

-- One row per 1024 positions that hold an event about a task (position / 1024).
CREATE TABLE zones (
    zone        INTEGER PRIMARY KEY,
    min_time    INTEGER NOT NULL,           -- of its events about tasks
    max_time    INTEGER NOT NULL,
    min_created INTEGER NOT NULL,           -- created_at, as it was then, of the tasks that
    max_created INTEGER NOT NULL,           --    its events are about
    min_task    INTEGER NOT NULL            -- least tasks.id that its events are about
) STRICT;

-- Tasks whose events did not come in the order of their times, or whose task.created
-- was not the first of them. What holds for all others has to be looked up for these.
CREATE TABLE unordered_tasks (
    task INTEGER PRIMARY KEY
) STRICT;

-- What a ledger of version 1 holds already.
INSERT INTO zones
    SELECT e.position / 1024, min (e.time), max (e.time), min (s.created_at), max (s.created_at), min (e.task)
    FROM (SELECT position, time, task FROM history_plain
        UNION ALL SELECT position, time, task FROM outputs_plain
        UNION ALL SELECT position, time, task FROM metrics_plain) e
    JOIN task_states s ON s.task = e.task GROUP BY 1;

INSERT INTO unordered_tasks
    SELECT DISTINCT task FROM (
        SELECT task, time, lag (time) OVER (PARTITION BY task ORDER BY position) AS earlier
        FROM (SELECT position, time, task FROM history_plain
            UNION ALL SELECT position, time, task FROM outputs_plain
            UNION ALL SELECT position, time, task FROM metrics_plain))
    WHERE time < earlier
    UNION SELECT id FROM tasks WHERE created <> id;
