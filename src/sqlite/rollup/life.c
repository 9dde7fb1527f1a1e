/*  life - what the counts need to know about a task, as of a position

    The task's row has the values of now. Each later event has what it replaced, so walking back from the newest
    one undoes them. The times of an attempt follow from the changes of state up to the position.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include "base/memory.h"
#include "sqlite/rollup/life.h"

typedef struct {
    rollup_change_t *items;         // Newest first
    size_t count, room;
} s_changes_t;

void
rollup_change_fill (rollup_change_t *self, sqlite3_stmt *statement)
{
    *self = (rollup_change_t) {
        .position = sqlite3_column_int64 (statement, 0),
        .task = sqlite3_column_int64 (statement, 1),
        .kind = sqlite3_column_int (statement, 2),
        .from = sqlite3_column_int (statement, 3),
        .to = sqlite3_column_int (statement, 4),
        .time = sqlite3_column_int64 (statement, 5),
        .provider = sqlite3_column_int64 (statement, 6),
        .model = sqlite3_column_int64 (statement, 7),
        .replaces = sqlite3_column_int (statement, 8) != 0
    };
}

void
rollup_life_move (rollup_life_t *self, const rollup_change_t *change)
{
    if (change->kind == STELE_HISTORY_CREATED)
        self->queued_at = change->time;
    if (!rollup_change_moves (change))
        return;
    if (change->from >= STELE_TASK_TERMINAL_FROM) {
        //  Another attempt. After an interruption it may go on without having been queued.
        self->queued_at = change->to == STELE_TASK_QUEUED? change->time: 0;
        self->started_at = 0;
    }
    if (change->to == STELE_TASK_RUNNING && self->started_at == 0)
        self->started_at = change->time;
}

//  -- reading ---------------------------------------------------------------------------

static int64_t
s_word_of (stele_reader_t *reader, stele_field_t field)
{
    const stele_value_t *value = &reader->row->values [field];
    return stele_record_has (reader->row, field)? reader_word_id (reader, value->text, value->size): 0;
}

void
rollup_life_take (stele_reader_t *reader, sqlite3_stmt *statement, int column, rollup_life_t *life)
{
    size_t size;
    const char *json = reader_column_text (reader, statement, column, &size);
    stele_field_set_t given = reader_json_fields (reader, json, size);
    stele_record_clear (reader->row);
    int code = json? stele_json_fields_set (json, size, STELE_VOCABULARY_TASK_STATE, reader->row): 0;
    if (code)
        reader_fail_json (reader, code);
    if (given & STELE_FIELD_BIT (STELE_ROLE))
        life->role = s_word_of (reader, STELE_ROLE);
    if (given & STELE_FIELD_BIT (STELE_PROVIDER))
        life->provider = s_word_of (reader, STELE_PROVIDER);
    if (given & STELE_FIELD_BIT (STELE_MODEL))
        life->model = s_word_of (reader, STELE_MODEL);
}

static void
s_add (stele_reader_t *reader, s_changes_t *changes, const rollup_change_t *change)
{
    rollup_change_t *items = stele_array_grow (changes->items, &changes->room, changes->count + 1, sizeof *items);
    if (!items) {
        reader_fail (reader, STELE_ENO_MEMORY, "out of memory");
        return;
    }
    changes->items = items;
    items [changes->count++] = *change;
}

static int64_t
s_read_now (stele_reader_t *reader, int64_t task, rollup_life_t *life)
{
    sqlite3_stmt *statement = reader_with_key (reader, SLOT_ROLLUP_NOW,
        "SELECT role, provider, model, last_history FROM states_plain WHERE task = ?1", task);
    *life = (rollup_life_t) { .task = task };
    if (reader_step (reader, statement) != 1)
        return 0;
    life->role = sqlite3_column_int64 (statement, 0);
    life->provider = sqlite3_column_int64 (statement, 1);
    life->model = sqlite3_column_int64 (statement, 2);
    int64_t last = sqlite3_column_int64 (statement, 3);
    sqlite3_reset (statement);
    return last;
}

int
rollup_life_read (stele_reader_t *reader, int64_t task, int64_t position, rollup_life_t *life)
{
    s_changes_t changes = { NULL, 0, 0 };
    int64_t at = s_read_now (reader, task, life);
    while (at > 0 && reader->status == 0) {
        sqlite3_stmt *statement = reader_with_key (reader, SLOT_ROLLUP_CHANGE,
            "SELECT " ROLLUP_CHANGE_COLUMNS ", h.previous, h.replaced FROM history_plain h WHERE h.position = ?1", at);
        rollup_change_t change;
        if (reader_step (reader, statement) != 1)
            break;
        rollup_change_fill (&change, statement);
        int64_t previous = sqlite3_column_int64 (statement, ROLLUP_CHANGE_COUNT);
        if (at <= position)
            s_add (reader, &changes, &change);
        else
        if (change.replaces)
            rollup_life_take (reader, statement, ROLLUP_CHANGE_COUNT + 1, life);
        at = previous;
    }
    while (changes.count > 0)
        rollup_life_move (life, &changes.items [--changes.count]);
    free (changes.items);
    return reader->status;
}
