/*  text_changes - tasks whose texts a part of the log changed

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include "base/memory.h"
#include "sqlite/filter/text_changes.h"

static int
s_by_task (const void *one, const void *other)
{
    const reader_text_change_t *a = one, *b = other;
    if (a->task != b->task)
        return a->task < b->task? -1: 1;
    return (a->position < b->position) - (a->position > b->position);
}

static int
s_by_position (const void *one, const void *other)
{
    const reader_text_change_t *a = one, *b = other;
    return (a->position > b->position) - (a->position < b->position);
}

static void
s_add (stele_reader_t *self, reader_text_changes_t *changes, int64_t task, int64_t position)
{
    reader_text_change_t *items = stele_array_grow (changes->items, &changes->room,
        changes->count + 1, sizeof *items);
    if (!items) {
        reader_fail (self, STELE_ENO_MEMORY, "out of memory");
        return;
    }
    changes->items = items;
    changes->items [changes->count++] = (reader_text_change_t) { task, position, position == 0 };
}

//  Keep one item per task: that with the last position
static void
s_unify (reader_text_changes_t *changes)
{
    if (changes->count == 0)
        return;
    qsort (changes->items, changes->count, sizeof *changes->items, s_by_task);
    size_t kept = 0;
    for (size_t i = 1; i < changes->count; i++) {
        if (changes->items [i].task == changes->items [kept].task)
            changes->items [kept].is_new |= changes->items [i].is_new;
        else
            changes->items [++kept] = changes->items [i];
    }
    changes->count = kept + 1;
    qsort (changes->items, changes->count, sizeof *changes->items, s_by_position);
}

int
reader_text_changes (stele_reader_t *self, int64_t after, int64_t last, reader_text_changes_t *changes)
{
    const stele_field_set_t searched = STELE_FIELD_BIT (STELE_TITLE) | STELE_FIELD_BIT (STELE_DESCRIPTION);
    sqlite3_stmt *statement = reader_with_key (self, SLOT_TEXT_CHANGES,
        "SELECT position, position - task_back, kind, error_message IS NOT NULL, changes"
        " FROM task_history WHERE position > ?1 AND position <= ?2", after);
    if (statement)
        sqlite3_bind_int64 (statement, 2, last);
    while (reader_step (self, statement) == 1) {
        bool has_text = sqlite3_column_int (statement, 2) == STELE_HISTORY_CREATED
            || sqlite3_column_int (statement, 3);
        if (!has_text) {
            size_t size;
            const char *json = reader_column_text (self, statement, 4, &size);
            has_text = json && (searched & reader_json_fields (self, json, size));
        }
        if (has_text)
            s_add (self, changes, sqlite3_column_int64 (statement, 1), sqlite3_column_int64 (statement, 0));
    }
    //  Tasks without a text too, for their ids
    statement = reader_with_key (self, SLOT_NEW_TASKS,
        "SELECT task FROM task_states WHERE task > ?1 AND task <= ?2", after);
    if (statement)
        sqlite3_bind_int64 (statement, 2, last);
    while (reader_step (self, statement) == 1)
        s_add (self, changes, sqlite3_column_int64 (statement, 0), 0);
    s_unify (changes);
    return self->status;
}
