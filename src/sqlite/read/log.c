/*  log - events in order of position, and the tasks and sessions they touched

    The log is the event tables merged by position. Positions have no gaps, so
    the table with the next one is known as soon as it is met, unless only some
    types are requested.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "sqlite/reader/reader_internal.h"

#define TYPE_BIT(type) (1u << (type))

#define NO_MORE INT64_MAX

#define LOOKED_MAX 65536            // Positions that a call looks at if most are of other users

//  -- events ----------------------------------------------------------------------

//  A table being read: its statement is at the next row of a requested type
typedef struct {
    sqlite3_stmt *statement;
    int64_t position;               // NO_MORE: no more rows
} s_source_t;

static int
s_advance (stele_reader_t *self, reader_source_t source, uint32_t types, int64_t upto, s_source_t *at)
{
    at->position = NO_MORE;
    while (reader_step (self, at->statement) == 1) {
        int64_t position = sqlite3_column_int64 (at->statement, 0);
        if (position > upto)
            break;
        if ((types & TYPE_BIT (reader_row_type (source, at->statement)))
        &&  reader_row_in_scope (self, source, at->statement)) {
            at->position = position;
            break;
        }
    }
    return self->status;
}

//  The source with the next position; SOURCE_COUNT if there are no more rows
static reader_source_t
s_next (const s_source_t *sources, int64_t expected)
{
    reader_source_t next = SOURCE_COUNT;
    int64_t least = NO_MORE;
    for (int source = 0; source < SOURCE_COUNT; source++) {
        if (sources [source].position < least) {
            least = sources [source].position;
            next = (reader_source_t) source;
            if (least == expected)
                break;
        }
    }
    return next;
}

int
stele_reader_events (stele_reader_t *self, int64_t after, int64_t limit,
    uint32_t types, stele_row_fn *fn, void *arg)
{
    int rc = reader_enter (self);
    if (rc)
        return rc;
    if (types == 0)
        types = UINT32_MAX;
    uint32_t wanted = limit > 0? reader_sources_of (types): 0;
    s_source_t sources [SOURCE_COUNT];
    int64_t upto = NO_MORE;
    if (self->scope.count && after < NO_MORE - LOOKED_MAX)
        upto = after + LOOKED_MAX;
    self->looked_to = upto;
    for (int source = 0; source < SOURCE_COUNT; source++) {
        sources [source] = (s_source_t) { NULL, NO_MORE };
        if (!(wanted & 1u << source))
            continue;
        sources [source].statement = reader_log_statement (self, (reader_source_t) source, after);
        s_advance (self, (reader_source_t) source, types, upto, &sources [source]);
    }
    //  Nothing is after the last position that there can be
    for (int64_t last = after; limit > 0 && last < NO_MORE && self->status == 0; limit--) {
        reader_source_t source = s_next (sources, last + 1);
        if (source == SOURCE_COUNT)
            break;
        last = sources [source].position;
        stele_record_clear (self->row);
        if (reader_fill_event (self, source, sources [source].statement))
            break;
        self->event_source = source;
        self->event_subject = reader_row_subject (source, sources [source].statement);
        self->event_owner = reader_row_owner (source, sources [source].statement);
        rc = fn (self->row, arg);
        if (rc)
            break;
        s_advance (self, source, types, upto, &sources [source]);
    }
    return (int) reader_leave (self, rc < 0? rc: 0);
}

int64_t
stele_reader_looked_to (const stele_reader_t *self)
{
    return self->looked_to;
}

const char *
stele_reader_event_user (stele_reader_t *self, size_t *size)
{
    switch (reader_source_subject (self->event_source)) {
        case STELE_SUBJECT_TASK: {
            int64_t user = reader_task_user (self, self->event_subject);
            return user < 0? NULL: reader_user_name (self, user, size);
        }
        case STELE_SUBJECT_SESSION:
            return reader_session_user (self, self->event_subject, size);
        case STELE_SUBJECT_PREFERENCE:
            return reader_user_name (self, self->event_subject, size);
        default:
            return NULL;
    }
}

int
stele_reader_event_owner (stele_reader_t *self, const char **name, size_t *size)
{
    *name = NULL;
    *size = 0;
    if (self->event_owner <= 0)
        return self->event_owner == 0;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_PRODUCER_NAME,
        "SELECT name FROM producers WHERE id = ?1", self->event_owner);
    //  The text stays until the statement is used again, or the call ends
    int rc = reader_step (self, statement);
    if (rc == 1) {
        *name = (const char *) sqlite3_column_text (statement, 0);
        *size = (size_t) sqlite3_column_bytes (statement, 0);
    }
    return rc < 0? rc: 1;
}

//  -- tasks and sessions touched -----------------------------------------------------

#define RANGE " WHERE position > ?1 AND position <= ?2"

//  Preferences and audit events touch neither a task nor a session
static const char *const s_touched [SOURCE_COUNT] = {
    [SOURCE_HISTORY] = "SELECT task FROM history_plain" RANGE,
    [SOURCE_OUTPUTS] = "SELECT task FROM outputs_plain" RANGE,
    [SOURCE_METRICS] = "SELECT task FROM metrics_plain" RANGE,
    [SOURCE_SESSIONS] = "SELECT session FROM cli_session_history" RANGE,
    [SOURCE_COMMANDS] = "SELECT session FROM cli_session_commands" RANGE
};
_Static_assert (SOURCE_COUNT == 7, "a new table of events about tasks or sessions needs a row in s_touched");

//  An audit event about an erasure touches the task, and its sessions: none of them is in an archive
static const char s_erased_tasks [] = "SELECT id FROM main.erased_tasks" RANGE;
static const char s_erased_sessions [] = "SELECT s.id FROM main.erased_tasks e JOIN main.tasks t ON t.id = e.id"
    " JOIN main.cli_sessions s ON s.task_id = t.task_id WHERE e.position > ?1 AND e.position <= ?2";

static void
s_collect_erased (stele_reader_t *self, int slot, const char *sql, int64_t after, int64_t upto, reader_keys_t *keys)
{
    sqlite3_stmt *statement = keys? reader_with_key (self, slot, sql, after): NULL;
    if (!statement)
        return;
    sqlite3_bind_int64 (statement, 2, upto);
    reader_keys_collect (self, statement, keys);
}

static void
s_collect (stele_reader_t *self, int64_t after, int64_t upto,
    reader_keys_t *tasks, reader_keys_t *sessions)
{
    for (int source = 0; source < SOURCE_COUNT; source++) {
        bool is_task = reader_source_subject ((reader_source_t) source) == STELE_SUBJECT_TASK;
        if (!s_touched [source] || (is_task && !tasks))
            continue;
        sqlite3_stmt *statement = reader_with_key (self, SLOT_TOUCHED + source,
            s_touched [source], after);
        if (statement)
            sqlite3_bind_int64 (statement, 2, upto);
        reader_keys_collect (self, statement, is_task? tasks: sessions);
    }
    s_collect_erased (self, SLOT_ERASED_TASKS, s_erased_tasks, after, upto, tasks);
    s_collect_erased (self, SLOT_ERASED_SESSIONS, s_erased_sessions, after, upto, sessions);
    if (tasks)
        reader_keys_sort (tasks);
    reader_keys_sort (sessions);
}

static int
s_emit (bool is_task, const reader_keys_t *keys, stele_touched_fn *fn, void *arg)
{
    int rc = 0;
    for (size_t i = 0; i < keys->count && rc == 0; i++)
        rc = fn (is_task, keys->keys [i], arg);
    return rc;
}

int64_t
stele_reader_touched (stele_reader_t *self, int64_t after, int64_t upto,
    int64_t limit, bool with_tasks, stele_touched_fn *fn, void *arg)
{
    int64_t rc = reader_enter (self);
    if (rc)
        return rc;
    int64_t head = reader_head (self);
    upto = upto < head? upto: head;
    if (limit < upto - after)
        upto = after + limit;
    reader_keys_t tasks = { NULL, 0, 0 }, sessions = { NULL, 0, 0 };
    if (upto > after)
        s_collect (self, after, upto, with_tasks? &tasks: NULL, &sessions);
    //  The call has ended here, so fn may call the reader
    rc = reader_leave (self, upto > after? upto: after);
    if (rc >= 0) {
        int result = s_emit (true, &tasks, fn, arg);
        if (result == 0)
            result = s_emit (false, &sessions, fn, arg);
        if (result < 0)
            rc = result;
    }
    reader_keys_free (&tasks);
    reader_keys_free (&sessions);
    return rc;
}
