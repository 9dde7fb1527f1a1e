-- Tasks by user: what a key that is bound to users may see, and lists of one user. Tasks of the user
-- 'default' that their events left to the default have NULL, and no entry.
CREATE INDEX tasks_by_user ON tasks (user_id) WHERE user_id IS NOT NULL;
