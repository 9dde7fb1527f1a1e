/*  scope - the users whose records a reader may see

    A task belongs to its user_id: that of its task.created, until then that of its first event. A session
    belongs to its own user_id, else to the user of its task if the task is older (STELE_SQL_SESSION_USER). No
    user_id means 'default'.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "sqlite/reader/reader_internal.h"

static bool
s_is_default (const char *text, size_t size)
{
    return size == 7 && memcmp (text, "default", 7) == 0;
}

void
stele_reader_set_users (stele_reader_t *self, const stele_span_t *users, size_t count)
{
    reader_scope_t *scope = &self->scope;
    scope->users = users;
    scope->count = count;
    scope->has_default = false;
    for (size_t i = 0; i < count; i++)
        scope->has_default |= s_is_default (users [i].text, users [i].size);
}

int
reader_scope_open (stele_reader_t *self)
{
    reader_scope_t *scope = &self->scope;
    scope->words.count = 0;
    memset (scope->tasks, 0, sizeof scope->tasks);
    memset (scope->sessions, 0, sizeof scope->sessions);
    for (size_t i = 0; i < scope->count; i++) {
        int64_t word = reader_word_id (self, scope->users [i].text, scope->users [i].size);
        //  A user whom no event has named yet
        if (word > 0)
            reader_keys_add (self, &scope->words, word);
    }
    reader_keys_sort (&scope->words);
    return self->status;
}

bool
reader_scope_has_word (const stele_reader_t *self, int64_t user)
{
    return user? reader_keys_has (&self->scope.words, user): self->scope.has_default;
}

bool
reader_scope_has_name (const stele_reader_t *self, const char *user, size_t size)
{
    const reader_scope_t *scope = &self->scope;
    for (size_t i = 0; i < scope->count; i++)
        if (scope->users [i].size == size && memcmp (scope->users [i].text, user, size) == 0)
            return true;
    return scope->count == 0;
}

bool
reader_scope_has_row (const stele_reader_t *self)
{
    const stele_value_t *user = &self->row->values [STELE_USER_ID];
    return self->scope.count == 0 || reader_scope_has_name (self, user->text, user->size);
}

//  A verdict is remembered as twice the key, plus one if it is in the scope
static bool
s_remembered (const int64_t *memo, int64_t key, bool *in)
{
    *in = memo [key % READER_SCOPE_MEMO] & 1;
    return memo [key % READER_SCOPE_MEMO] >> 1 == key;
}

bool
reader_scope_has_task (stele_reader_t *self, int64_t key)
{
    bool in = true;
    if (self->scope.count == 0 || s_remembered (self->scope.tasks, key, &in))
        return in;
    int64_t user = reader_task_user (self, key);
    in = user >= 0 && reader_scope_has_word (self, user);
    self->scope.tasks [key % READER_SCOPE_MEMO] = key * 2 + in;
    return in;
}

bool
reader_scope_has_session (stele_reader_t *self, int64_t key)
{
    bool in = true;
    if (self->scope.count == 0 || s_remembered (self->scope.sessions, key, &in))
        return in;
    size_t size = 0;
    const char *user = reader_session_user (self, key, &size);
    in = user && reader_scope_has_name (self, user, size);
    self->scope.sessions [key % READER_SCOPE_MEMO] = key * 2 + in;
    return in;
}

bool
reader_keys_of_users (stele_reader_t *self, const reader_keys_t *users, bool with_default, reader_keys_t *keys)
{
    //  The index has no tasks without a user_id
    if (with_default)
        return false;
    size_t max = (size_t) self->bounds.set;
    for (size_t i = 0; i < users->count && keys->count <= max; i++) {
        sqlite3_stmt *statement = reader_with_key (self, SLOT_USER_TASKS,
            "SELECT id FROM tasks WHERE user_id = ?1 LIMIT ?2", users->keys [i]);
        if (statement)
            sqlite3_bind_int64 (statement, 2, self->bounds.set + 1);
        reader_keys_collect (self, statement, keys);
    }
    if (keys->count <= max)
        return true;
    reader_keys_free (keys);
    return false;
}

int64_t
reader_task_user (stele_reader_t *self, int64_t key)
{
    sqlite3_stmt *statement = reader_with_key (self, SLOT_TASK_USER, "SELECT user_id FROM tasks WHERE id = ?1", key);
    if (reader_step (self, statement) != 1)
        return -1;
    int64_t user = sqlite3_column_int64 (statement, 0);
    sqlite3_reset (statement);
    return user;
}

const char *
reader_user_name (stele_reader_t *self, int64_t user, size_t *size)
{
    if (user > 0)
        return reader_word (self, user, size);
    *size = 7;
    return "default";
}

const char *
reader_session_user (stele_reader_t *self, int64_t key, size_t *size)
{
    sqlite3_stmt *statement = reader_with_key (self, SLOT_SESSION_USER, STELE_SQL_SESSION_USER " WHERE s.id = ?1", key);
    if (reader_step (self, statement) != 1)
        return NULL;
    //  The column stays valid: the statement is reset when it is used again, or when the call ends
    *size = (size_t) sqlite3_column_bytes (statement, 0);
    const char *user = (const char *) sqlite3_column_text (statement, 0);
    return user? user: reader_user_name (self, 0, size);
}
