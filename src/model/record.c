/*  record - typed values by field, with an arena

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "model/record.h"
#include "stele_error.h"

#define CHUNK_SIZE 4096

struct stele_arena_chunk {
    stele_arena_chunk_t *next;
    size_t used;
    size_t size;
    max_align_t data [];
};

stele_record_t *
stele_record_new (void)
{
    return calloc (1, sizeof (stele_record_t));
}

void
stele_record_destroy (stele_record_t **self_p)
{
    assert (self_p);
    stele_record_t *self = *self_p;
    if (!self)
        return;
    while (self->arena) {
        stele_arena_chunk_t *next = self->arena->next;
        free (self->arena);
        self->arena = next;
    }
    free (self);
    *self_p = NULL;
}

void
stele_record_clear (stele_record_t *self)
{
    self->type = 0;
    self->time_assumed = false;
    self->source = NULL;
    for (int field = 0; field < STELE_FIELD_COUNT; field++)
        self->values [field].kind = STELE_VALUE_NONE;
    self->extra.kind = STELE_VALUE_NONE;
    //  Keep one chunk of the ordinary size for the next use
    while (self->arena && (self->arena->next || self->arena->size > CHUNK_SIZE)) {
        stele_arena_chunk_t *next = self->arena->next;
        free (self->arena);
        self->arena = next;
    }
    if (self->arena)
        self->arena->used = 0;
}

void *
stele_record_alloc (stele_record_t *self, size_t size)
{
    size = (size + sizeof (max_align_t) - 1) & ~(sizeof (max_align_t) - 1);
    stele_arena_chunk_t *chunk = self->arena;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t chunk_size = size > CHUNK_SIZE? size: CHUNK_SIZE;
        chunk = malloc (sizeof *chunk + chunk_size);
        if (!chunk)
            return NULL;
        chunk->next = self->arena;
        chunk->used = 0;
        chunk->size = chunk_size;
        self->arena = chunk;
    }
    void *memory = (char *) chunk->data + chunk->used;
    chunk->used += size;
    return memory;
}

bool
stele_value_erased (const stele_value_t *extra)
{
    return extra->kind == STELE_VALUE_JSON && extra->size >= strlen (STELE_ERASED_BEGIN)
        && memcmp (extra->text, STELE_ERASED_BEGIN, strlen (STELE_ERASED_BEGIN)) == 0;
}

void
stele_record_set_integer (stele_record_t *self, stele_field_t field, int64_t value)
{
    self->values [field].kind = STELE_VALUE_INTEGER;
    self->values [field].integer = value;
}

void
stele_record_set_bool (stele_record_t *self, stele_field_t field, bool value)
{
    self->values [field].kind = STELE_VALUE_BOOL;
    self->values [field].integer = value;
}

void
stele_record_set_word (stele_record_t *self, stele_field_t field,
    stele_vocabulary_t vocabulary, int code)
{
    self->values [field].kind = STELE_VALUE_WORD;
    self->values [field].vocabulary = vocabulary;
    self->values [field].integer = code;
}

static void
s_set_span (stele_record_t *self, stele_field_t field, int kind, const void *data, size_t size)
{
    assert (size <= UINT32_MAX);
    self->values [field].kind = kind;
    self->values [field].text = data;
    self->values [field].size = (uint32_t) size;
}

void
stele_record_set_text (stele_record_t *self, stele_field_t field, const char *text, size_t size)
{
    s_set_span (self, field, STELE_VALUE_TEXT, text, size);
}

void
stele_record_set_bytes (stele_record_t *self, stele_field_t field, const void *bytes, size_t size)
{
    s_set_span (self, field, STELE_VALUE_BYTES, bytes, size);
}

void
stele_record_set_json (stele_record_t *self, stele_field_t field, const char *text, size_t size)
{
    s_set_span (self, field, STELE_VALUE_JSON, text, size);
}

static int
s_own (stele_record_t *self, stele_value_t *value)
{
    if (value->kind < STELE_VALUE_TEXT || value->size == 0)
        return 0;
    char *copy = stele_record_alloc (self, value->size);
    if (!copy)
        return STELE_ENO_MEMORY;
    memcpy (copy, value->text, value->size);
    value->text = copy;
    return 0;
}

int
stele_record_own (stele_record_t *self)
{
    int code = s_own (self, &self->extra);
    for (int field = 0; field < STELE_FIELD_COUNT && code == 0; field++)
        code = s_own (self, &self->values [field]);
    return code;
}

int64_t
stele_record_integer (const stele_record_t *self, stele_field_t field, int64_t otherwise)
{
    return stele_record_has (self, field)? self->values [field].integer: otherwise;
}

stele_vocabulary_t
stele_record_state_vocabulary (int type)
{
    return stele_event_subject (type) == STELE_SUBJECT_SESSION?
        STELE_VOCABULARY_SESSION_STATE: STELE_VOCABULARY_TASK_STATE;
}
