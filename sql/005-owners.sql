-- To whom a task belonged at any time in the past (the current owner is in task_states).
ALTER TABLE task_history ADD COLUMN owner INTEGER;  -- producers.id from this event on, 0: no producer, NULL: as before it

DROP VIEW history_plain;
CREATE VIEW history_plain AS SELECT
    h.position, h.position - h.task_back AS task, h.position - h.previous_back AS previous,
    h.kind, h.state_from, h.state_to, t.since * 1000000 + h.elapsed AS time,
    h.provider, h.model, h.user_id, h.error_message, h.details, h.changes, h.replaced, h.extra, t.task_id, h.owner
FROM task_history h LEFT JOIN tasks t ON t.id = h.position - h.task_back;
