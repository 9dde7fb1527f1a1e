-- Who did what to the broker itself: events of the type audit.recorded. A seventh event table: the
-- integer key is the position, as in the other six.
CREATE TABLE audit_events (
    position   INTEGER PRIMARY KEY,
    time       INTEGER NOT NULL,
    user_id    INTEGER,                     -- words; only of imported events
    who        INTEGER NOT NULL,            -- words: the name of a key, or 'local'
    operation  INTEGER NOT NULL,            -- words
    outcome    INTEGER NOT NULL,            -- words: 'ok', or the code of an error
    target     TEXT,                        -- what the operation was applied to
    peer       TEXT,                        -- address from which the request came
    request_id TEXT,                        -- as the request gave it
    count      INTEGER,                     -- how often, of refused access
    imported   INTEGER,                     -- 1: recorded by another ledger, and imported
    details    ANY,                         -- JSON, or a frame of it
    extra      ANY                          -- JSON: keys the protocol does not know, or a frame of it
) STRICT;

CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE (ABORT, 'audit_events is append-only'); END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN SELECT RAISE (ABORT, 'audit_events is append-only'); END;

CREATE VIEW audit_events_view AS SELECT
    position,
    strftime ('%Y-%m-%dT%H:%M:%S', time / 1000000, 'unixepoch') || printf ('.%06dZ', time % 1000000) AS timestamp,
    (SELECT word FROM words WHERE id = who) AS who,
    (SELECT word FROM words WHERE id = operation) AS operation,
    target,
    (SELECT word FROM words WHERE id = outcome) AS outcome,
    peer, request_id, count,
    ifnull (imported, 0) AS imported,
    CASE typeof (details) WHEN 'blob' THEN NULL ELSE details END AS details,
    CASE typeof (extra) WHEN 'blob' THEN NULL ELSE extra END AS extra
FROM audit_events;
