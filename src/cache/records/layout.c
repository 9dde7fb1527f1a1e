/*  layout - the keys of Redis, and the fields of a record's hash

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cache/records/layout.h"
#include "wire/json/json.h"

//  -- keys -----------------------------------------------------------------------

static void
s_key (stele_key_t *key, const char *prefix, const char *stem, const char *id, size_t size)
{
    int head = snprintf (key->data, sizeof key->data, "%s%s", prefix, stem);
    assert (head > 0 && (size_t) head + size < sizeof key->data);
    if (size)
        memcpy (key->data + head, id, size);
    key->size = (size_t) head + size;
    key->data [key->size] = 0;
}

int
stele_layout_init (stele_layout_t *self, const char *prefix, stele_refusal_t *refusal)
{
    if (!prefix || !*prefix || strlen (prefix) >= STELE_LAYOUT_PREFIX_MAX)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "redis-prefix",
            "the prefix of the keys in Redis must have 1 to %d bytes; the default is {stele}",
            STELE_LAYOUT_PREFIX_MAX - 1);
    memset (self, 0, sizeof *self);
    snprintf (self->prefix, sizeof self->prefix, "%s", prefix);
    s_key (&self->ledger, prefix, ":ledger", NULL, 0);
    s_key (&self->position, prefix, ":position", NULL, 0);
    s_key (&self->swept, prefix, ":swept", NULL, 0);
    s_key (&self->rebuilding, prefix, ":rebuilding", NULL, 0);
    s_key (&self->layout, prefix, ":layout", NULL, 0);
    s_key (&self->holder, prefix, ":holder", NULL, 0);
    s_key (&self->epoch, prefix, ":epoch", NULL, 0);
    s_key (&self->committed, prefix, ":committed", NULL, 0);
    s_key (&self->task, prefix, ":task:", NULL, 0);
    s_key (&self->session, prefix, ":session:", NULL, 0);
    for (int state = 1; state < STELE_TASK_STATE_END; state++) {
        const char *word = stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, state);
        s_key (&self->sets [state], prefix, ":tasks:", word, strlen (word));
    }
    return 0;
}

//  An id from the ledger is within its limit, an id from a request may be longer: no such
//  task exists, and the truncated key finds nothing.

static size_t
s_id_size (size_t size)
{
    return size > STELE_LIMIT_ID? STELE_LIMIT_ID: size;
}

void
stele_layout_holder (const char *ledger_id, const char *file_id, int64_t epoch, char *text)
{
    if (epoch)
        snprintf (text, STELE_LAYOUT_HOLDER_MAX, "%s %s %" PRId64, ledger_id, file_id, epoch);
    else
        snprintf (text, STELE_LAYOUT_HOLDER_MAX, "%s %s", ledger_id, file_id);
}

void
stele_layout_epoch (const char *ledger_id, int64_t epoch, char *text)
{
    snprintf (text, STELE_LAYOUT_EPOCH_MAX, "%s %" PRId64, ledger_id, epoch);
}

int64_t
stele_layout_parse_epoch (const char *text, const char *ledger_id)
{
    size_t size = strlen (ledger_id);
    int64_t epoch;
    if (strncmp (text, ledger_id, size) || text [size] != ' '
    ||  !stele_redis_parse_integer (text + size + 1, strlen (text + size + 1), &epoch))
        return 0;
    return epoch;
}

void
stele_layout_task (const stele_layout_t *self, const char *id, size_t size, stele_key_t *key)
{
    s_key (key, self->prefix, ":task:", id, s_id_size (size));
}

void
stele_layout_session (const stele_layout_t *self, const char *id, size_t size, stele_key_t *key)
{
    s_key (key, self->prefix, ":session:", id, s_id_size (size));
}

void
stele_layout_legacy (const char *id, size_t size, stele_key_t *key)
{
    s_key (key, "task_status", ":", id, s_id_size (size));
}

const char *
stele_layout_id (const stele_key_t *stem, const char *key, size_t size, size_t *id_size)
{
    if (size <= stem->size || memcmp (key, stem->data, stem->size) != 0)
        return NULL;
    *id_size = size - stem->size;
    return key + stem->size;
}

void
stele_layout_pattern (const stele_layout_t *self, char *pattern)
{
    for (const char *byte = self->prefix; *byte; byte++) {
        if (strchr ("*?[]\\^", *byte))
            *pattern++ = '\\';
        *pattern++ = *byte;
    }
    memcpy (pattern, ":*", 3);
}

//  -- hashes ---------------------------------------------------------------------

bool
stele_layout_holds (const stele_record_t *record, stele_field_t field)
{
    return stele_record_has (record, field)
        && field != STELE_DESCRIPTION && field != STELE_ACCEPTANCE_CRITERIA
        && field != STELE_METADATA;
}

size_t
stele_layout_text (const stele_value_t *value, char *digits, const char **text)
{
    *text = digits;
    switch ((stele_value_kind_t) value->kind) {
        case STELE_VALUE_INTEGER:
            return snprintf (digits, STELE_LAYOUT_DIGITS, "%" PRId64, value->integer);
        case STELE_VALUE_UNSIGNED:
            return snprintf (digits, STELE_LAYOUT_DIGITS, "%" PRIu64, value->natural);
        case STELE_VALUE_REAL:
            return snprintf (digits, STELE_LAYOUT_DIGITS, "%.17g", value->real);
        case STELE_VALUE_BOOL:
            *text = value->integer? "true": "false";
            return strlen (*text);
        case STELE_VALUE_WORD:
            *text = stele_vocabulary_word (value->vocabulary, (int) value->integer);
            assert (*text);
            return strlen (*text);
        case STELE_VALUE_NONE:
            *text = "";
            return 0;
        default:
            *text = value->size? value->text: "";
            return value->size;
    }
}

void
stele_layout_replace (stele_redis_t *redis, const stele_key_t *key, const stele_record_t *record)
{
    stele_redis_word (redis, "DEL");
    stele_redis_bytes (redis, key->data, key->size);
    stele_redis_end (redis);
    stele_layout_fill (redis, key, record);
}

void
stele_layout_fill (stele_redis_t *redis, const stele_key_t *key, const stele_record_t *record)
{
    char digits [STELE_LAYOUT_DIGITS];
    stele_redis_word (redis, "HSET");
    stele_redis_bytes (redis, key->data, key->size);
    for (int field = 0; field < STELE_FIELD_COUNT; field++) {
        if (!stele_layout_holds (record, field))
            continue;
        const stele_value_t *value = &record->values [field];
        const char *text;
        stele_redis_word (redis, stele_field_name (field));
        if (value->kind == STELE_VALUE_INTEGER) {
            stele_redis_integer (redis, value->integer);
            continue;
        }
        size_t size = stele_layout_text (value, digits, &text);
        stele_redis_bytes (redis, text, size);
    }
    stele_redis_end (redis);
}

static stele_field_t
s_find (const char *name, size_t size)
{
    stele_field_t found = stele_field_find (name, size);
    for (int field = STELE_EVENT_FIELD_COUNT; found == STELE_FIELD_NONE
         && field < STELE_FIELD_COUNT; field++) {
        const char *candidate = stele_field_name (field);
        if (strlen (candidate) == size && memcmp (candidate, name, size) == 0)
            found = field;
    }
    return found;
}

static int
s_parse_bool (stele_record_t *record, stele_field_t field, const char *text, size_t size)
{
    bool yes = size == 4 && memcmp (text, "true", 4) == 0;
    if (!yes && !(size == 5 && memcmp (text, "false", 5) == 0))
        return STELE_EMALFORMED;
    stele_record_set_bool (record, field, yes);
    return 0;
}

int
stele_layout_parse (stele_record_t *record, const char *name, size_t name_size,
    const char *text, size_t size)
{
    stele_field_t field = s_find (name, name_size);
    if (field == STELE_FIELD_NONE)
        return 0;
    int64_t integer;
    switch (stele_field_kind (field)) {
        case STELE_KIND_ID:
        case STELE_KIND_TEXT: {
            char *copy = stele_record_alloc (record, size + 1);
            assert (copy);
            memcpy (copy, text, size);
            stele_record_set_text (record, field, copy, size);
            return 0;
        }
        case STELE_KIND_NATURAL:
        case STELE_KIND_INTEGER:
        case STELE_KIND_TIME:
            if (!stele_redis_parse_integer (text, size, &integer))
                return STELE_EMALFORMED;
            stele_record_set_integer (record, field, integer);
            return 0;
        case STELE_KIND_BOOL:
            return s_parse_bool (record, field, text, size);
        case STELE_KIND_STATE:
            integer = stele_vocabulary_code (STELE_VOCABULARY_TASK_STATE, text, size);
            if (integer == 0)
                return STELE_EMALFORMED;
            stele_record_set_word (record, field, STELE_VOCABULARY_TASK_STATE, (int) integer);
            return 0;
        default:
            return 0;               // Live records have no fields of other kinds
    }
}

//  -- earlier versions -------------------------------------------------------------

static void
s_pack_legacy (stele_pack_t *pack, const char *key, const stele_value_t *value)
{
    char digits [STELE_LAYOUT_DIGITS];
    const char *text;
    size_t size = stele_layout_text (value, digits, &text);
    stele_pack_key (pack, key);
    if (value->kind == STELE_VALUE_NONE)
        stele_pack_nil (pack);
    else
        stele_pack_text (pack, text, size);
}

//  Earlier systems reject null as a role or branch, and then their whole list. A task that was not
//  created yet has no role.
static void
s_pack_legacy_role_and_branch (stele_pack_t *pack, const stele_record_t *task)
{
    static const stele_value_t unknown = { .kind = STELE_VALUE_TEXT, .text = "unknown", .size = 7 };
    bool has_role = stele_record_has (task, STELE_ROLE) && task->values [STELE_ROLE].size > 0;
    const stele_value_t *role = has_role? &task->values [STELE_ROLE]: &unknown;
    const stele_value_t *id = &task->values [STELE_TASK_ID];
    s_pack_legacy (pack, "role", role);
    if (stele_record_has (task, STELE_BRANCH)) {
        s_pack_legacy (pack, "branch", &task->values [STELE_BRANCH]);
        return;
    }
    char branch [8 + STELE_LIMIT_WORD + STELE_LIMIT_ID];
    int head = snprintf (branch, sizeof branch, "auto/%.*s/", (int) role->size, role->text);
    assert (head > 0 && (size_t) head + id->size <= sizeof branch);
    memcpy (branch + head, id->text, id->size);
    stele_pack_key (pack, "branch");
    stele_pack_text (pack, branch, head + id->size);
}

char *
stele_layout_legacy_json (const stele_record_t *task, stele_pack_t *pack)
{
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    s_pack_legacy (pack, "id", &task->values [STELE_TASK_ID]);
    s_pack_legacy_role_and_branch (pack, task);
    s_pack_legacy (pack, "state", &task->values [STELE_STATE]);
    s_pack_legacy (pack, "last_error", &task->values [STELE_LAST_ERROR]);
    s_pack_legacy (pack, "provider", &task->values [STELE_PROVIDER]);
    s_pack_legacy (pack, "model", &task->values [STELE_MODEL]);
    stele_pack_map_end (pack);
    char *json = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), false);
    assert (json);
    return json;
}
