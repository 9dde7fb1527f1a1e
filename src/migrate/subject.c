/*  subject - a task, session or user as the ledger has it, for deltas and for verification

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "migrate/convert.h"
#include "migrate/subject.h"
#include "wire/time.h"

#define PAGE_ROWS 1000

subject_t *
subjects_add (subjects_t *self, char kind, const json_t *id)
{
    size_t size = json_string_length (id) + 1;
    char *key = stele_memory_new (size + 1);
    key [0] = kind;
    memcpy (key + 1, json_string_value (id), size - 1);
    subject_t *subject;
    HASH_FIND (hh, self->subjects, key, size, subject);
    if (!subject) {
        subject = stele_memory_new (sizeof *subject + size);
        memcpy (subject->key, key, size);
        subject->key_size = size;
        HASH_ADD_KEYPTR (hh, self->subjects, subject->key, size, subject);
    }
    free (key);
    return subject;
}

subject_t *
subjects_of_event (subjects_t *self, const json_t *event)
{
    const char *type = json_string_value (json_object_get (event, "type"));
    static const struct { const char *prefix; char kind; const char *field; } kinds [] = {
        { "task.", 't', "task_id" }, { "session.", 's', "session_id" }, { "preference.", 'u', "user_id" }
    };
    for (size_t i = 0; type && i < sizeof kinds / sizeof kinds [0]; i++) {
        const json_t *id = json_object_get (event, kinds [i].field);
        if (strncmp (type, kinds [i].prefix, strlen (kinds [i].prefix)) == 0 && json_is_string (id))
            return subjects_add (self, kinds [i].kind, id);
    }
    return NULL;
}

void
subjects_clear (subjects_t *self)
{
    subject_t *subject, *next;
    HASH_ITER (hh, self->subjects, subject, next) {
        HASH_DELETE (hh, self->subjects, subject);
        json_decref (subject->record);
        json_decref (subject->history);
        json_decref (subject->outputs);
        json_decref (subject->metrics);
        json_decref (subject->commands);
        json_decref (subject->known);
        free (subject);
    }
}

int64_t
subject_time (const json_t *value)
{
    int64_t time_us = 0;
    if (json_is_integer (value))
        return json_integer_value (value);
    if (json_is_string (value) && stele_time_parse (json_string_value (value), json_string_length (value), &time_us))
        time_us = 0;
    return time_us;
}

static json_t *
s_request (const subject_t *self, const char *op, const char *field)
{
    json_t *request = json_pack ("{ss}", "op", op);
    json_object_set_new (request, field, json_stringn_nocheck (self->key + 1, self->key_size - 1));
    return request;
}

int
subject_fetch (subject_t *self, const stele_asker_t *asker)
{
    static const struct { char kind; const char *op, *field, *record; } kinds [] = {
        { 't', "task.get", "task_id", "task" }, { 's', "session.get", "session_id", "session" },
        { 'u', "preference.get", "user_id", "preferences" }
    };
    size_t i = 0;
    while (kinds [i].kind != self->key [0])
        i++;
    bool none = false;
    json_t *answer = asker->fn (s_request (self, kinds [i].op, kinds [i].field), &none, asker->arg);
    if (!answer)
        return none? 0: -1;
    self->record = json_incref (json_object_get (answer, kinds [i].record));
    json_decref (answer);
    return 0;
}

//  All pages of a list. NULL: the broker did not answer
static json_t *
s_fetch_list (const subject_t *self, const stele_asker_t *asker, const char *op, const char *field, const char *rows)
{
    json_t *all = json_array (), *cursor = NULL;
    do {
        json_t *request = s_request (self, op, field);
        json_object_set_new (request, "limit", json_integer (PAGE_ROWS));
        if (cursor)
            json_object_set_new (request, "cursor", cursor);
        bool none = false;
        json_t *answer = asker->fn (request, &none, asker->arg);
        if (!answer && none)
            return all;
        if (!answer) {
            json_decref (all);
            return NULL;
        }
        json_array_extend (all, json_object_get (answer, rows));
        cursor = json_incref (json_object_get (answer, "next"));
        json_decref (answer);
    } while (cursor && !json_is_null (cursor));
    json_decref (cursor);
    return all;
}

int
subject_fetch_rows (subject_t *self, const stele_asker_t *asker)
{
    if (self->key [0] == 's' && !self->commands) {
        self->commands = s_fetch_list (self, asker, "session.commands", "session_id", "commands");
        return self->commands? 0: -1;
    }
    if (self->key [0] != 't' || self->history)
        return 0;
    self->history = s_fetch_list (self, asker, "task.history", "task_id", "history");
    if (self->history)
        self->outputs = s_fetch_list (self, asker, "task.outputs", "task_id", "outputs");
    if (self->outputs)
        self->metrics = s_fetch_list (self, asker, "task.metrics", "task_id", "metrics");
    return self->metrics? 0: -1;
}
