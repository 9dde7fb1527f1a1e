/*  filter - test a task against the filter of a list

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "sqlite/filter/filter.h"

//  -- open, close --------------------------------------------------------------------

static void
s_find_words (reader_filter_t *self, const stele_span_t *spans, size_t count, reader_keys_t *ids)
{
    for (size_t i = 0; i < count; i++) {
        int64_t id = reader_word_id (self->reader, spans [i].text, spans [i].size);
        if (id > 0)
            reader_keys_add (self->reader, ids, id);
    }
    reader_keys_sort (ids);
    if (count > 0 && ids->count == 0)
        self->matches_nothing = true;
}

static void
s_find_producers (reader_filter_t *self, const stele_filter_t *query)
{
    for (size_t i = 0; i < query->producer_count; i++) {
        sqlite3_stmt *statement = reader_statement (self->reader, SLOT_PRODUCER_ID,
            "SELECT id FROM producers WHERE name = ?1");
        reader_bind_text (statement, 1, query->producers [i].text, query->producers [i].size);
        int64_t id = reader_integer (self->reader, statement, 0);
        if (id > 0)
            reader_keys_add (self->reader, &self->producers, id);
    }
    reader_keys_sort (&self->producers);
    if (query->producer_count > 0 && self->producers.count == 0)
        self->matches_nothing = true;
}

//  The user of the filter, as far as the reader may see it; else all that it may see
static void
s_find_users (reader_filter_t *self, stele_span_t user)
{
    const reader_scope_t *scope = &self->reader->scope;
    self->by_user = user.text || scope->count;
    if (user.text) {
        int64_t word = reader_word_id (self->reader, user.text, user.size);
        if (!reader_scope_has_name (self->reader, user.text, user.size))
            self->matches_nothing = true;
        if (word > 0)
            reader_keys_add (self->reader, &self->users, word);
        self->user_default = user.size == 7 && memcmp (user.text, "default", 7) == 0;
    }
    else {
        for (size_t i = 0; i < scope->words.count; i++)
            reader_keys_add (self->reader, &self->users, scope->words.keys [i]);
        self->user_default = scope->has_default;
    }
    if (self->by_user && self->users.count == 0 && !self->user_default)
        self->matches_nothing = true;
}

int
reader_filter_open (reader_filter_t *self, stele_reader_t *reader, const stele_filter_t *query)
{
    *self = (reader_filter_t) { .reader = reader, .query = query };
    s_find_words (self, query->roles, query->role_count, &self->roles);
    s_find_words (self, query->providers, query->provider_count, &self->providers);
    s_find_words (self, query->models, query->model_count, &self->models);
    s_find_producers (self, query);
    s_find_users (self, query->user_id);
    if (query->search.text && strspn (query->search.text, " \t\r\n") < query->search.size) {
        int code;
        self->match = stele_match_new (reader->db, query->search.text, query->search.size, &code);
        if (!self->match)
            return reader_fail (reader, code, code == STELE_EUNAVAILABLE?
                "this SQLite was built without FTS5": "out of memory");
        if (stele_match_is_empty (self->match))
            self->matches_nothing = true;
    }
    self->by_text = self->match || query->contains.size;
    return reader->status;
}

void
reader_filter_close (reader_filter_t *self)
{
    stele_match_destroy (&self->match);
    reader_keys_free (&self->roles);
    reader_keys_free (&self->providers);
    reader_keys_free (&self->models);
    reader_keys_free (&self->producers);
    reader_keys_free (&self->users);
}

//  -- by rows ------------------------------------------------------------------------

bool
reader_filter_codes_pass (const reader_filter_t *self, int state, int64_t role,
    int64_t provider, int64_t model)
{
    const stele_filter_t *query = self->query;
    return (!query->states || (query->states & (1u << state)))
        && (!query->role_count || reader_keys_has (&self->roles, role))
        && (!query->provider_count || reader_keys_has (&self->providers, provider))
        && (!query->model_count || reader_keys_has (&self->models, model));
}

bool
reader_filter_is_narrow (const reader_filter_t *self)
{
    const stele_filter_t *query = self->query;
    return !self->by_text && !self->by_user && !query->parent_id.text && !query->has_error
        && !query->producer_count && !query->interrupted && !query->heard_to
        && !query->updated_from_us && !query->updated_to_us
        && !query->completed_from_us && !query->completed_to_us;
}

static bool
s_within (int64_t time, int64_t from, int64_t to)
{
    return (!from || time >= from) && (!to || time <= to);
}

static bool
s_is_user (const reader_filter_t *self, int64_t user)
{
    return !self->by_user || (user? reader_keys_has (&self->users, user): self->user_default);
}

//  Test user and parent
static bool
s_belongs (reader_filter_t *self, int64_t key)
{
    const stele_filter_t *query = self->query;
    stele_reader_t *reader = self->reader;
    if ((!self->by_user || self->users_pass) && !query->parent_id.text)
        return true;
    sqlite3_stmt *statement = reader_with_key (reader, SLOT_TASK_BELONGS,
        "SELECT user_id, parent_id IS ?2 FROM tasks WHERE id = ?1", key);
    reader_bind_id (statement, 2, query->parent_id.text, query->parent_id.size);
    if (reader_step (reader, statement) != 1)
        return false;
    bool of_user = s_is_user (self, sqlite3_column_int64 (statement, 0));
    bool of_parent = !query->parent_id.text || sqlite3_column_int (statement, 1);
    sqlite3_reset (statement);
    return of_user && of_parent;
}

static bool
s_contains (const stele_record_t *task, stele_field_t field, stele_span_t part)
{
    const stele_value_t *text = &task->values [field];
    if (!stele_record_has (task, field))
        return false;
    for (size_t i = 0; i + part.size <= text->size; i++) {
        size_t same = 0;
        while (same < part.size && stele_match_lower (text->text [i + same]) == stele_match_lower (part.text [same]))
            same++;
        if (same == part.size)
            return true;
    }
    return false;
}

static bool
s_matches (reader_filter_t *self, const stele_record_t *task)
{
    stele_span_t part = self->query->contains;
    if (part.size && !s_contains (task, STELE_TITLE, part) && !s_contains (task, STELE_DESCRIPTION, part))
        return false;
    bool matches = !self->match || stele_match_passes (self->match, task);
    if (self->match && stele_match_failed (self->match))
        reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
    return matches;
}

bool
reader_filter_text_passes (reader_filter_t *self, int64_t key)
{
    static const reader_column_t columns [] = {
        { STELE_TASK_ID, COLUMN_ID }, { STELE_TITLE, COLUMN_TEXT }, { STELE_DESCRIPTION, COLUMN_TEXT },
        { STELE_LAST_ERROR, COLUMN_TEXT }
    };
    stele_reader_t *reader = self->reader;
    self->texts_read++;
    sqlite3_stmt *statement = reader_with_key (reader, SLOT_TASK_TEXT,
        "SELECT t.task_id, t.title, t.description,"
        " (SELECT error_message FROM history_plain WHERE position = s.last_error_at)"
        " FROM tasks t JOIN states_plain s ON s.task = t.id WHERE t.id = ?1", key);
    stele_record_clear (reader->row);
    if (reader_step (reader, statement) != 1 || READER_FILL (reader, statement, 0, columns))
        return false;
    bool matches = s_matches (self, reader->row);
    sqlite3_reset (statement);
    return matches;
}

bool
reader_filter_passes (reader_filter_t *self, const reader_summary_t *summary)
{
    return reader_filter_summary_passes (self, summary)
        && (!self->by_text || reader_filter_text_passes (self, summary->key));
}

bool
reader_filter_summary_passes (reader_filter_t *self, const reader_summary_t *summary)
{
    const stele_filter_t *query = self->query;
    if (!reader_filter_codes_pass (self, summary->state, summary->role, summary->provider, summary->model)
    ||  !s_within (summary->created_at, query->from_us, query->to_us)
    ||  !s_within (summary->updated_at, query->updated_from_us, query->updated_to_us))
        return false;
    if ((query->completed_from_us || query->completed_to_us)
    && (!summary->completed_at || !s_within (summary->completed_at, query->completed_from_us, query->completed_to_us)))
        return false;
    if (query->has_error && (summary->error_count > 0) != (query->has_error > 0))
        return false;
    if (query->heard_to && summary->position > query->heard_to)
        return false;
    if (query->producer_count && !reader_keys_has (&self->producers, summary->owner))
        return false;
    if (query->interrupted && ((summary->flags & STELE_TASK_FLAG_INTERRUPTED) != 0) != (query->interrupted > 0))
        return false;
    return s_belongs (self, summary->key);
}

//  -- by records ---------------------------------------------------------------------

static bool
s_is (const stele_record_t *row, stele_field_t field, const stele_span_t *span)
{
    const stele_value_t *value = &row->values [field];
    return stele_record_has (row, field) && value->size == span->size
        && memcmp (value->text, span->text, span->size) == 0;
}

static bool
s_is_any (const stele_record_t *row, stele_field_t field, const stele_span_t *spans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (s_is (row, field, &spans [i]))
            return true;
    return count == 0;
}

static bool
s_row_within (const stele_record_t *row, stele_field_t field, int64_t from, int64_t to)
{
    return (!from && !to)
        || (stele_record_has (row, field) && s_within (stele_record_integer (row, field, 0), from, to));
}

bool
reader_filter_record_passes (reader_filter_t *self, const stele_record_t *row)
{
    const stele_filter_t *query = self->query;
    if (query->states && !(query->states & (1u << stele_record_integer (row, STELE_STATE, 0))))
        return false;
    if (query->has_error && (stele_record_integer (row, STELE_ERROR_COUNT, 0) > 0) != (query->has_error > 0))
        return false;
    if (query->heard_to && stele_record_integer (row, STELE_POSITION, 0) > query->heard_to)
        return false;
    if (query->interrupted && stele_record_has (row, STELE_INTERRUPTED) != (query->interrupted > 0))
        return false;
    if (self->by_text && !s_matches (self, row))
        return false;
    return s_is_any (row, STELE_PRODUCER, query->producers, query->producer_count)
        && s_is_any (row, STELE_ROLE, query->roles, query->role_count)
        && s_is_any (row, STELE_PROVIDER, query->providers, query->provider_count)
        && s_is_any (row, STELE_MODEL, query->models, query->model_count)
        && (!query->user_id.text || s_is (row, STELE_USER_ID, &query->user_id))
        && (!query->parent_id.text || s_is (row, STELE_PARENT_ID, &query->parent_id))
        && s_row_within (row, STELE_CREATED_AT, query->from_us, query->to_us)
        && s_row_within (row, STELE_UPDATED_AT, query->updated_from_us, query->updated_to_us)
        && s_row_within (row, STELE_COMPLETED_AT, query->completed_from_us, query->completed_to_us);
}
