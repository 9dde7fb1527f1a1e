/*  confine - hold an event to the users of the key that publishes it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "sqlite/write/ledger_internal.h"

static const stele_span_t s_default = { "default", 7 };

static bool
s_has (const stele_span_t *users, size_t count, stele_span_t user)
{
    for (size_t i = 0; i < count; i++)
        if (users [i].size == user.size && memcmp (users [i].text, user.text, user.size) == 0)
            return true;
    return false;
}

//  The user to whom a task or session belongs, copied into 'event': 1, 0 there is none yet, or a storage error
static int
s_user_of (stele_ledger_t *self, sqlite3_stmt *stmt, const stele_value_t *id, stele_record_t *event, stele_span_t *user)
{
    stele_ledger_bind_id (stmt, 1, id);
    int rc = stele_sql_step (stmt);
    *user = s_default;
    if (rc == SQLITE_ROW && sqlite3_column_type (stmt, 0) != SQLITE_NULL) {
        size_t size = (size_t) sqlite3_column_bytes (stmt, 0);
        const void *text = sqlite3_column_text (stmt, 0);
        char *copy = text? stele_record_alloc (event, size + 1): NULL;
        if (copy)
            *user = (stele_span_t) { memcpy (copy, text, size), size };
        else
            rc = SQLITE_NOMEM;
    }
    sqlite3_reset (stmt);
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
}

int
stele_ledger_producer_shared (stele_ledger_t *self, int64_t producer, const stele_span_t *users, size_t count)
{
    //  The query reads rows, so write what this batch changed first
    int rc = stele_task_cache_flush (self->tasks);
    if (rc)
        return stele_ledger_fail (self, rc);
    sqlite3_stmt *stmt = self->sql.producer_users;
    bool foreign = false;
    sqlite3_bind_int64 (stmt, 1, producer);
    while (!foreign && (rc = stele_sql_step (stmt)) == SQLITE_ROW) {
        stele_span_t user = s_default;
        if (sqlite3_column_type (stmt, 0) != SQLITE_NULL)
            user = (stele_span_t) { (const char *) sqlite3_column_text (stmt, 0), (size_t) sqlite3_column_bytes (stmt, 0) };
        foreign = !s_has (users, count, user);
    }
    sqlite3_reset (stmt);
    return foreign? 1: rc == SQLITE_DONE? 0: stele_ledger_fail (self, stele_sql_code (rc));
}

static int
s_refuse (stele_refusal_t *refusal, const char *field, const char *what)
{
    return stele_refuse (refusal, STELE_EUNAUTHORIZED, field,
        "%s: this key may publish only for its users", what);
}

//  A user for an event that names none: whoever the event's task or session belongs to, else the only user of the
//  key, else 'default'.
static stele_span_t
s_missing_user (const stele_span_t *users, size_t count, bool exists, stele_span_t owner)
{
    return exists? owner: count == 1? users [0]: s_default;
}

int
stele_ledger_confine (stele_ledger_t *self, stele_record_t *event, const stele_span_t *users, size_t count,
    stele_refusal_t *refusal)
{
    const stele_value_t *values = event->values;
    stele_span_t owner = s_default;
    int exists = 0;
    switch (stele_event_subject (event->type)) {
        case STELE_SUBJECT_TASK:
            exists = s_user_of (self, self->sql.task_user, &values [STELE_TASK_ID], event, &owner);
            if (exists == 1 && !s_has (users, count, owner))
                return s_refuse (refusal, "task_id", "the task belongs to another user");
            break;
        case STELE_SUBJECT_SESSION:
            exists = s_user_of (self, self->sql.session_user, &values [STELE_SESSION_ID], event, &owner);
            if (exists == 1 && !s_has (users, count, owner))
                return s_refuse (refusal, "session_id", "the session belongs to another user");
            break;
        case STELE_SUBJECT_PREFERENCE:
            break;
        default:
            return s_refuse (refusal, NULL, "an event that belongs to no user");
    }
    if (exists < 0)
        return exists;
    //  A session would show the attempts of its task
    if (event->type == STELE_SESSION_STARTED && stele_record_has (event, STELE_TASK_ID)) {
        stele_span_t of_task;
        int has_task = s_user_of (self, self->sql.task_user, &values [STELE_TASK_ID], event, &of_task);
        if (has_task < 0)
            return has_task;
        if (has_task && !s_has (users, count, of_task))
            return s_refuse (refusal, "task_id", "the task of the session belongs to another user");
        if (has_task && !exists) {
            owner = of_task;
            exists = 1;
        }
    }
    //  A task of another user would have a child that its user cannot see
    if (stele_event_subject (event->type) == STELE_SUBJECT_TASK && stele_record_has (event, STELE_PARENT_ID)) {
        stele_span_t of_parent;
        int has_parent = s_user_of (self, self->sql.task_user, &values [STELE_PARENT_ID], event, &of_parent);
        if (has_parent < 0)
            return has_parent;
        if (has_parent && !s_has (users, count, of_parent))
            return s_refuse (refusal, "parent_id", "the parent of the task belongs to another user");
    }
    stele_span_t user = stele_record_has (event, STELE_USER_ID)?
        (stele_span_t) { values [STELE_USER_ID].text, values [STELE_USER_ID].size }:
        s_missing_user (users, count, exists == 1, owner);
    if (!s_has (users, count, user))
        return s_refuse (refusal, "user_id", stele_record_has (event, STELE_USER_ID)?
            "user_id is not a user of this key": "user_id is missing, and the key is bound to several users");
    //  'default' is what an event without a user means: stored the same as from a key that is not bound
    if (!stele_record_has (event, STELE_USER_ID)
    && (user.size != s_default.size || memcmp (user.text, s_default.text, user.size) != 0))
        stele_record_set_text (event, STELE_USER_ID, user.text, user.size);
    return 0;
}
