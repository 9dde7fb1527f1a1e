/*  event - the class stele_event of include/stele_event.h

    Fields are kept in the order in which they were set, each value as packed bytes, from
    which it is read back.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "stele_event.h"
#include "base/memory.h"
#include "client/event.h"
#include "wire/event/event_codec.h"
#include "wire/json/json.h"
#include "wire/scan.h"

typedef struct {
    char *key;                      // One block: key, NUL, value, NUL
    size_t key_size;
    const char *value;              // msgpack; a text ends with the value, so that the NUL terminates it
    size_t size;
} s_field_t;

struct _stele_event_t {
    s_field_t *fields;
    size_t count;
    size_t room;
    stele_pack_t *whole;            // The event as one map; empty until it is requested
    stele_pack_t *value;            // Buffer to pack one value
};

static stele_event_t *
s_new (void)
{
    stele_event_t *self = STELE_NEW (stele_event_t);
    self->whole = stele_pack_new ();
    assert (self->whole);
    self->value = stele_pack_new ();
    assert (self->value);
    return self;
}

static void
s_error (char *error, size_t error_size, const char *text)
{
    if (error && error_size)
        snprintf (error, error_size, "%s", text);
}

static s_field_t *
s_find (const stele_event_t *self, const char *key, size_t key_size)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->fields [i].key_size == key_size
        &&  memcmp (self->fields [i].key, key, key_size) == 0)
            return &self->fields [i];
    return NULL;
}

//  Set a field: replace its value, or append it
static void
s_keep (stele_event_t *self, const char *key, size_t key_size, const void *value, size_t size)
{
    s_field_t *field = s_find (self, key, key_size);
    char *block = stele_memory_new (key_size + size + 2);
    memcpy (block, key, key_size);
    memcpy (block + key_size + 1, value, size);
    if (field)
        free (field->key);
    else {
        self->fields = stele_array_must_grow (self->fields, &self->room, self->count + 1,
            sizeof *self->fields);
        field = &self->fields [self->count++];
    }
    *field = (s_field_t) {
        .key = block, .key_size = key_size, .value = block + key_size + 1, .size = size
    };
    stele_pack_clear (self->whole);
}

//  Set a field to the value in self->value
static int
s_set (stele_event_t *self, const char *field)
{
    if (!stele_utf8_valid (field, strlen (field)))
        return STELE_EMALFORMED;
    s_keep (self, field, strlen (field), stele_pack_data (self->value),
        stele_pack_size (self->value));
    return 0;
}

static stele_token_t
s_token (const s_field_t *field)
{
    stele_scan_t scan = stele_scan_start (field? field->value: NULL, field? field->size: 0);
    return stele_scan_next (&scan);
}

static stele_token_t
s_read (const stele_event_t *self, const char *field)
{
    return s_token (s_find (self, field, strlen (field)));
}

stele_event_t *
stele_event_new (const char *type)
{
    assert (type);
    stele_event_t *self = s_new ();
    if (stele_event_set_string (self, "type", type))
        stele_event_set_string (self, "type", "");      // Not UTF-8
    return self;
}

void
stele_event_destroy (stele_event_t **self_p)
{
    assert (self_p);
    stele_event_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        free (self->fields [i].key);
    free (self->fields);
    stele_pack_destroy (&self->whole);
    stele_pack_destroy (&self->value);
    free (self);
    *self_p = NULL;
}

//  Decode checked bytes; NULL, with the reason
static stele_event_t *
s_decode (const void *data, size_t size, const char **why)
{
    stele_scan_t scan = stele_scan_start (data, size);
    stele_token_t head = stele_scan_next (&scan);
    if (head.kind != STELE_SCAN_MAP) {
        *why = "an event must be a map (a JSON object)";
        return NULL;
    }
    stele_event_t *self = s_new ();
    *why = NULL;
    for (uint32_t i = 0; i < head.count && !*why; i++) {
        stele_token_t key = stele_scan_next (&scan);
        const void *value;
        size_t value_size;
        if (key.kind != STELE_SCAN_TEXT || !stele_utf8_valid (key.data, key.size))
            *why = "a key of the event is not UTF-8 text";
        else
        if (s_find (self, key.data, key.size))
            *why = "the event contains a key twice";
        else {
            stele_scan_skip (&scan, &value, &value_size);
            s_keep (self, key.data, key.size, value, value_size);
        }
    }
    if (*why)
        stele_event_destroy (&self);
    return self;
}

stele_event_t *
stele_event_decode (const void *data, size_t size, char *error, size_t error_size)
{
    const char *why = NULL;
    stele_event_t *self = NULL;
    if (stele_scan_check (data, size, size, &why) == 0)
        self = s_decode (data, size, &why);
    if (!self)
        s_error (error, error_size, why);
    return self;
}

void
stele_event_assign (stele_event_t *self, const void *data, size_t size)
{
    stele_event_t *other = stele_event_decode (data, size, NULL, 0);
    assert (other);
    stele_event_t before = *self;
    *self = *other;
    *other = before;
    stele_event_destroy (&other);
}

stele_event_t *
stele_event_from_json (const char *text, size_t size, char *error, size_t error_size)
{
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    stele_refusal_t refusal;
    stele_event_t *self = NULL;
    if (stele_json_parse_pack (text, size, pack, &refusal))
        s_error (error, error_size, refusal.message);
    else {
        const char *why;
        self = s_decode (stele_pack_data (pack), stele_pack_size (pack), &why);
        if (!self)
            s_error (error, error_size, why);
    }
    stele_pack_destroy (&pack);
    return self;
}

int
stele_event_set_string (stele_event_t *self, const char *field, const char *value)
{
    return stele_event_set_text (self, field, value, strlen (value));
}

int
stele_event_set_text (stele_event_t *self, const char *field, const char *text, size_t size)
{
    if (size > UINT32_MAX || !stele_utf8_valid (text, size))
        return STELE_EMALFORMED;
    stele_pack_clear (self->value);
    stele_pack_text (self->value, text, size);
    return s_set (self, field);
}

int
stele_event_set_bytes (stele_event_t *self, const char *field, const void *bytes, size_t size)
{
    if (size > UINT32_MAX)
        return STELE_EMALFORMED;
    stele_pack_clear (self->value);
    stele_pack_bytes (self->value, bytes, size);
    return s_set (self, field);
}

int
stele_event_set_integer (stele_event_t *self, const char *field, int64_t value)
{
    stele_pack_clear (self->value);
    stele_pack_integer (self->value, value);
    return s_set (self, field);
}

int
stele_event_set_real (stele_event_t *self, const char *field, double value)
{
    stele_pack_clear (self->value);
    stele_pack_real (self->value, value);
    return s_set (self, field);
}

int
stele_event_set_bool (stele_event_t *self, const char *field, bool value)
{
    stele_pack_clear (self->value);
    stele_pack_bool (self->value, value);
    return s_set (self, field);
}

int
stele_event_set_json (stele_event_t *self, const char *field, const char *json)
{
    stele_pack_clear (self->value);
    if (stele_json_parse_pack (json, strlen (json), self->value, NULL))
        return STELE_EMALFORMED;
    return s_set (self, field);
}

const char *
stele_event_type (const stele_event_t *self)
{
    stele_token_t token = s_read (self, "type");
    return token.kind == STELE_SCAN_TEXT? token.data: "";
}

int64_t
stele_event_position (const stele_event_t *self)
{
    return stele_event_integer (self, "position", 0);
}

const char *
stele_event_string (const stele_event_t *self, const char *field, size_t *size)
{
    stele_token_t token = s_read (self, field);
    if (token.kind != STELE_SCAN_TEXT && token.kind != STELE_SCAN_BYTES)
        return NULL;
    if (size)
        *size = token.size;
    return token.data;
}

static bool
s_is_time (const char *name)
{
    for (int field = 0; field < STELE_FIELD_COUNT; field++)
        if (stele_field_kind (field) == STELE_KIND_TIME
        &&  strcmp (stele_field_name (field), name) == 0)
            return true;
    return false;
}

int64_t
stele_event_integer (const stele_event_t *self, const char *field, int64_t otherwise)
{
    const s_field_t *found = s_find (self, field, strlen (field));
    stele_token_t token = s_token (found);
    int64_t time_us;
    switch (token.kind) {
        case STELE_SCAN_INTEGER:
        case STELE_SCAN_BOOL:
            return token.integer;
        case STELE_SCAN_REAL:
            //  At least -2^63 and less than 2^63; false for NaN
            return token.real >= -0x1p63 && token.real < 0x1p63? (int64_t) token.real: otherwise;
        case STELE_SCAN_TEXT:
        case STELE_SCAN_EXT:
            return s_is_time (field) && stele_time_unpack (found->value, found->size, &time_us) == 0?
                time_us: otherwise;
        default:
            return otherwise;
    }
}

double
stele_event_real (const stele_event_t *self, const char *field, double otherwise)
{
    stele_token_t token = s_read (self, field);
    switch (token.kind) {
        case STELE_SCAN_INTEGER:
            return (double) token.integer;
        case STELE_SCAN_UNSIGNED:
            return (double) token.natural;
        case STELE_SCAN_REAL:
            return token.real;
        default:
            return otherwise;
    }
}

bool
stele_event_has (const stele_event_t *self, const char *field)
{
    stele_token_t token = s_read (self, field);
    return token.kind != STELE_SCAN_END && token.kind != STELE_SCAN_NIL;
}

int
stele_event_check (const stele_event_t *self, char *error, size_t error_size)
{
    size_t size;
    const void *data = stele_event_data (self, &size);
    stele_record_t *record = stele_record_new ();
    assert (record);
    stele_refusal_t refusal;
    int rc = stele_event_decode_record (data, size, record, &refusal);
    if (rc)
        s_error (error, error_size, refusal.message);
    stele_record_destroy (&record);
    return rc;
}

static void
s_pack_field (stele_pack_t *pack, const s_field_t *field)
{
    stele_pack_text (pack, field->key, field->key_size);
    stele_pack_packed (pack, field->value, field->size);
}

const void *
stele_event_data (const stele_event_t *self, size_t *size)
{
    //  Empty since the last change. 'whole' is a cache, so the event stays logically const
    if (stele_pack_size (self->whole) == 0) {
        stele_pack_map (self->whole, self->count);
        for (size_t i = 0; i < self->count; i++)
            s_pack_field (self->whole, &self->fields [i]);
    }
    if (size)
        *size = stele_pack_size (self->whole);
    return stele_pack_data (self->whole);
}

char *
stele_event_to_json (const stele_event_t *self)
{
    const s_field_t *first [] = { s_find (self, "type", 4), s_find (self, "position", 8) };
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    stele_pack_map (pack, self->count);
    for (int i = 0; i < 2; i++)
        if (first [i])
            s_pack_field (pack, first [i]);
    for (size_t i = 0; i < self->count; i++)
        if (&self->fields [i] != first [0] && &self->fields [i] != first [1])
            s_pack_field (pack, &self->fields [i]);
    char *text = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), true);
    stele_pack_destroy (&pack);
    return text;
}
