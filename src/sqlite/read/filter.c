/*  filter - which tasks a list asks for, and whether a task is one of them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "sqlite/read/filter.h"

//  -- briefs ------------------------------------------------------------------------

void
reader_brief_fill (reader_brief_t *brief, sqlite3_stmt *statement, int first)
{
    *brief = (reader_brief_t) {
        .key = sqlite3_column_int64 (statement, first),
        .state = sqlite3_column_int (statement, first + 1),
        .role = sqlite3_column_int64 (statement, first + 2),
        .provider = sqlite3_column_int64 (statement, first + 3),
        .model = sqlite3_column_int64 (statement, first + 4),
        .flags = sqlite3_column_int (statement, first + 5),
        .created_at = sqlite3_column_int64 (statement, first + 6),
        .updated_at = sqlite3_column_int64 (statement, first + 7),
        .started_at = sqlite3_column_int64 (statement, first + 8),
        .completed_at = sqlite3_column_int64 (statement, first + 9),
        .error_count = sqlite3_column_int64 (statement, first + 10),
        .position = sqlite3_column_int64 (statement, first + 11),
        .last_error_at = sqlite3_column_int64 (statement, first + 12)
    };
}

int
reader_brief (stele_reader_t *self, int64_t key, reader_brief_t *brief)
{
    sqlite3_stmt *statement = reader_with_key (self, SLOT_BRIEF,
        "SELECT " READER_BRIEF_COLUMNS " FROM states_plain s WHERE s.task = ?1", key);
    int rc = reader_step (self, statement);
    if (rc == 1) {
        reader_brief_fill (brief, statement, 0);
        sqlite3_reset (statement);
    }
    return rc;
}

int64_t
reader_brief_time (const reader_brief_t *brief, stele_order_t order)
{
    switch (order) {
        case STELE_ORDER_CREATED_DESC:
        case STELE_ORDER_CREATED_ASC:
            return brief->created_at;
        case STELE_ORDER_UPDATED_DESC:
        case STELE_ORDER_UPDATED_ASC:
            return brief->updated_at;
        default:
            return brief->completed_at;
    }
}

//  -- the filter's words -------------------------------------------------------------

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
        self->nothing = true;
}

int
reader_filter_open (reader_filter_t *self, stele_reader_t *reader, const stele_filter_t *ask)
{
    *self = (reader_filter_t) { .reader = reader, .ask = ask };
    s_find_words (self, ask->roles, ask->role_count, &self->roles);
    s_find_words (self, ask->providers, ask->provider_count, &self->providers);
    s_find_words (self, ask->models, ask->model_count, &self->models);
    stele_span_t user = ask->user_id;
    if (user.text) {
        self->user_default = user.size == 7 && memcmp (user.text, "default", 7) == 0;
        self->user = reader_word_id (reader, user.text, user.size);
        if (self->user == 0 && !self->user_default)
            self->nothing = true;
    }
    if (ask->search.text && strspn (ask->search.text, " \t\r\n") < ask->search.size) {
        int code;
        self->match = stele_match_new (reader->db, ask->search.text, ask->search.size, &code);
        if (!self->match)
            return reader_fail (reader, code, code == STELE_EUNAVAILABLE?
                "this SQLite was built without FTS5": "out of memory");
        if (stele_match_is_nothing (self->match))
            self->nothing = true;
    }
    return reader->status;
}

void
reader_filter_close (reader_filter_t *self)
{
    stele_match_destroy (&self->match);
    reader_keys_free (&self->roles);
    reader_keys_free (&self->providers);
    reader_keys_free (&self->models);
}

//  -- does a task pass? ---------------------------------------------------------------

bool
reader_filter_admits (const reader_filter_t *self, int state, int64_t role,
    int64_t provider, int64_t model)
{
    const stele_filter_t *ask = self->ask;
    return (!ask->states || (ask->states & (1u << state)))
        && (!ask->role_count || reader_keys_has (&self->roles, role))
        && (!ask->provider_count || reader_keys_has (&self->providers, provider))
        && (!ask->model_count || reader_keys_has (&self->models, model));
}

bool
reader_filter_is_narrow (const reader_filter_t *self)
{
    const stele_filter_t *ask = self->ask;
    return !self->match && !ask->user_id.text && !ask->parent_id.text && !ask->has_error
        && !ask->updated_from_us && !ask->updated_to_us
        && !ask->completed_from_us && !ask->completed_to_us;
}

static bool
s_within (int64_t time, int64_t from, int64_t to)
{
    return (!from || time >= from) && (!to || time <= to);
}

//  Is it the child and of the user that the filter names?
static bool
s_belongs (reader_filter_t *self, int64_t key)
{
    const stele_filter_t *ask = self->ask;
    stele_reader_t *reader = self->reader;
    if (!ask->user_id.text && !ask->parent_id.text)
        return true;
    sqlite3_stmt *statement = reader_with_key (reader, SLOT_TASK_BELONGS,
        "SELECT user_id, parent_id IS ?2 FROM tasks WHERE id = ?1", key);
    reader_bind_text (statement, 2, ask->parent_id.text, ask->parent_id.size);
    if (reader_step (reader, statement) != 1)
        return false;
    int64_t user = sqlite3_column_int64 (statement, 0);
    bool of_user = !ask->user_id.text
        || (user? user == self->user: self->user_default);
    bool of_parent = !ask->parent_id.text || sqlite3_column_int (statement, 1);
    sqlite3_reset (statement);
    return of_user && of_parent;
}

static bool
s_matches (reader_filter_t *self, const stele_record_t *task)
{
    bool matches = stele_match_passes (self->match, task);
    if (stele_match_failed (self->match))
        reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
    return matches;
}

bool
reader_filter_matches (reader_filter_t *self, int64_t key)
{
    static const reader_column_t columns [] = {
        { STELE_TASK_ID, COLUMN_ID }, { STELE_TITLE, COLUMN_TEXT }, { STELE_DESCRIPTION, COLUMN_TEXT },
        { STELE_LAST_ERROR, COLUMN_TEXT }
    };
    stele_reader_t *reader = self->reader;
    self->texts++;
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
reader_filter_passes (reader_filter_t *self, const reader_brief_t *brief)
{
    return reader_filter_selects (self, brief)
        && (!self->match || reader_filter_matches (self, brief->key));
}

bool
reader_filter_selects (reader_filter_t *self, const reader_brief_t *brief)
{
    const stele_filter_t *ask = self->ask;
    if (!reader_filter_admits (self, brief->state, brief->role, brief->provider, brief->model)
    ||  !s_within (brief->created_at, ask->from_us, ask->to_us)
    ||  !s_within (brief->updated_at, ask->updated_from_us, ask->updated_to_us))
        return false;
    if ((ask->completed_from_us || ask->completed_to_us)
    && (!brief->completed_at || !s_within (brief->completed_at, ask->completed_from_us, ask->completed_to_us)))
        return false;
    if (ask->has_error && (brief->error_count > 0) != (ask->has_error > 0))
        return false;
    return s_belongs (self, brief->key);
}

//  -- as it was ------------------------------------------------------------------------

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
reader_filter_row_passes (reader_filter_t *self, const stele_record_t *row)
{
    const stele_filter_t *ask = self->ask;
    if (ask->states && !(ask->states & (1u << stele_record_integer (row, STELE_STATE, 0))))
        return false;
    if (ask->has_error && (stele_record_integer (row, STELE_ERROR_COUNT, 0) > 0) != (ask->has_error > 0))
        return false;
    if (self->match && !s_matches (self, row))
        return false;
    return s_is_any (row, STELE_ROLE, ask->roles, ask->role_count)
        && s_is_any (row, STELE_PROVIDER, ask->providers, ask->provider_count)
        && s_is_any (row, STELE_MODEL, ask->models, ask->model_count)
        && (!ask->user_id.text || s_is (row, STELE_USER_ID, &ask->user_id))
        && (!ask->parent_id.text || s_is (row, STELE_PARENT_ID, &ask->parent_id))
        && s_row_within (row, STELE_CREATED_AT, ask->from_us, ask->to_us)
        && s_row_within (row, STELE_UPDATED_AT, ask->updated_from_us, ask->updated_to_us)
        && s_row_within (row, STELE_COMPLETED_AT, ask->completed_from_us, ask->completed_to_us);
}
