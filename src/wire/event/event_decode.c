/*  event_decode - decode and check one event

    One pass records where each value is and refuses invalid keys; then each field
    that the type of the event has is checked.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "wire/event/event_codec.h"
#include "wire/json/json.h"
#include "wire/quote.h"
#include "wire/scan.h"

//  Keys of an event that are not fields
enum {
    S_TYPE = STELE_EVENT_FIELD_COUNT,
    S_POSITION,
    S_INTERRUPTED,
    S_SLOT_COUNT
};

_Static_assert (S_SLOT_COUNT <= 64, "the set of keys seen has 64 bits");

typedef struct {
    const void *data;
    size_t size;
    stele_token_t token;
} s_span_t;

typedef struct {
    stele_scan_t entries;           // From the first key
    uint32_t count;
    uint64_t seen;                  // Slots with a span
    bool unknown;                   // There are keys without a slot
    bool erased;                    // One of them is STELE_ERASED_LEAF
    s_span_t spans [S_SLOT_COUNT];
} s_event_t;

//  Name of a received value, for a message
static const char *
s_came (const stele_token_t *token)
{
    static const char *const names [] = {
        [STELE_SCAN_END] = "nothing", [STELE_SCAN_NIL] = "nil", [STELE_SCAN_BOOL] = "a bool",
        [STELE_SCAN_INTEGER] = "an integer", [STELE_SCAN_UNSIGNED] = "an integer above 2^63-1",
        [STELE_SCAN_REAL] = "a float", [STELE_SCAN_TEXT] = "text", [STELE_SCAN_BYTES] = "bytes",
        [STELE_SCAN_EXT] = "an extension", [STELE_SCAN_ARRAY] = "an array",
        [STELE_SCAN_MAP] = "a map"
    };
    if (token->kind == STELE_SCAN_INTEGER && token->integer < 0)
        return "a negative integer";
    return names [token->kind];
}

//  What a field takes, for a message
static const char *
s_takes (stele_kind_t kind)
{
    static const char *const names [] = {
        [STELE_KIND_ID] = "text of at least one byte", [STELE_KIND_TEXT] = "text",
        [STELE_KIND_CONTENT] = "text or bytes", [STELE_KIND_NATURAL] = "an integer from 0 to 2^63-1",
        [STELE_KIND_INTEGER] = "an integer from -2^63 to 2^63-1",
        [STELE_KIND_NUMBER] = "an integer or a float", [STELE_KIND_BOOL] = "true or false",
        [STELE_KIND_TIME] = "microseconds, a msgpack timestamp or RFC 3339 text (years 1 to 9999)",
        [STELE_KIND_MAP] = "a map", [STELE_KIND_STATE] = "a word",
        [STELE_KIND_OUTPUT_TYPE] = "a word", [STELE_KIND_EVENT_TYPE] = "a word"
    };
    return names [kind];
}

static int
s_wrong_kind (stele_field_t field, const stele_token_t *token, stele_refusal_t *refusal)
{
    const char *name = stele_field_name (field);
    return stele_refuse (refusal, STELE_EINVALID_FIELD, name, "%s takes %s, not %s",
        name, s_takes (stele_field_kind (field)), s_came (token));
}

//  How much of what only the broker writes is decoded
typedef enum { S_PUBLISHED, S_RESTORED, S_REPLAYED } s_source_t;

static bool
s_is_erased_leaf (const stele_token_t *key)
{
    return key->size == strlen (STELE_ERASED_LEAF) && memcmp (key->data, STELE_ERASED_LEAF, key->size) == 0;
}

static int
s_slot (const stele_token_t *key)
{
    stele_field_t field = stele_field_find (key->data, key->size);
    if (field != STELE_FIELD_NONE)
        return field;
    if (key->size == 4 && memcmp (key->data, "type", 4) == 0)
        return S_TYPE;
    if (key->size == 8 && memcmp (key->data, "position", 8) == 0)
        return S_POSITION;
    if (key->size == 11 && memcmp (key->data, "interrupted", 11) == 0)
        return S_INTERRUPTED;
    return STELE_FIELD_NONE;
}

static int
s_collect_one (s_event_t *self, stele_scan_t *scan, stele_refusal_t *refusal)
{
    char shown [STELE_QUOTE_SIZE];
    stele_token_t key = stele_scan_next (scan);
    if (key.kind != STELE_SCAN_TEXT)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL,
            "a key of the event is %s: keys are text", s_came (&key));
    if (!stele_utf8_valid (key.data, key.size))
        return stele_refuse (refusal, STELE_EMALFORMED, NULL,
            "a key of the event is not valid UTF-8: '%s'",
            stele_quote (shown, key.data, key.size));

    s_span_t span;
    stele_scan_t value = *scan;
    span.token = stele_scan_next (&value);
    bool container = span.token.kind == STELE_SCAN_MAP || span.token.kind == STELE_SCAN_ARRAY;
    if (container)
        stele_scan_skip (scan, &span.data, &span.size);
    else {
        span.data = scan->next;
        span.size = (size_t) (value.next - scan->next);
        *scan = value;
    }
    if (container
    &&  stele_scan_depth (span.data, span.size, STELE_LIMIT_NESTING) > STELE_LIMIT_NESTING) {
        stele_quote (shown, key.data, key.size);
        return stele_refuse (refusal, STELE_EMALFORMED, shown,
            "'%s' is nested deeper than %d levels", shown, STELE_LIMIT_NESTING);
    }
    int slot = s_slot (&key);
    if (slot == STELE_FIELD_NONE) {
        self->unknown = true;
        self->erased |= s_is_erased_leaf (&key);
        return 0;
    }
    if (self->seen & STELE_FIELD_BIT (slot)) {
        stele_quote (shown, key.data, key.size);
        return stele_refuse (refusal, STELE_EMALFORMED, shown,
            "the event has the key '%s' twice", shown);
    }
    self->seen |= STELE_FIELD_BIT (slot);
    self->spans [slot] = span;
    return 0;
}

static int
s_collect (s_event_t *self, const void *data, size_t size, stele_refusal_t *refusal)
{
    stele_scan_t scan = stele_scan_start (data, size);
    stele_token_t head = stele_scan_next (&scan);
    if (head.kind != STELE_SCAN_MAP)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL,
            "an event is a map, not %s", s_came (&head));
    self->entries = scan;
    self->count = head.count;
    self->seen = 0;
    self->unknown = false;
    self->erased = false;
    for (uint32_t i = 0; i < head.count; i++) {
        int rc = s_collect_one (self, &scan, refusal);
        if (rc)
            return rc;
    }
    return 0;
}

static int
s_decode_type (s_event_t *self, int *type, stele_refusal_t *refusal)
{
    const stele_token_t *token = &self->spans [S_TYPE].token;
    if (!(self->seen & STELE_FIELD_BIT (S_TYPE)) || token->kind == STELE_SCAN_NIL)
        return stele_refuse (refusal, STELE_EMISSING_FIELD, "type", "the event has no type");
    if (token->kind != STELE_SCAN_TEXT)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "type",
            "type takes text, not %s", s_came (token));
    *type = stele_vocabulary_code (STELE_VOCABULARY_EVENT_TYPE, token->data, token->size);
    if (*type)
        return 0;
    char shown [STELE_QUOTE_SIZE];
    return stele_refuse (refusal, STELE_EUNKNOWN_TYPE, "type", "unknown type '%s'; use %s",
        stele_quote (shown, token->data, token->size),
        stele_vocabulary_published ());
}

static int
s_too_large (stele_field_t field, size_t size, stele_refusal_t *refusal)
{
    const char *name = stele_field_name (field);
    return stele_refuse (refusal, STELE_ETOO_LARGE, name,
        "%s has %zu bytes, the limit is %zu", name, size, stele_field_limit (field));
}

static int
s_decode_text (stele_record_t *record, stele_field_t field, const stele_token_t *token,
    stele_refusal_t *refusal)
{
    const char *name = stele_field_name (field);
    if (token->kind != STELE_SCAN_TEXT)
        return s_wrong_kind (field, token, refusal);
    if (!stele_utf8_valid (token->data, token->size))
        return stele_refuse (refusal, STELE_EMALFORMED, name,
            "%s is not valid UTF-8%s", name, stele_field_kind (field) == STELE_KIND_CONTENT?
            ": send it as bytes (msgpack bin)": "");
    if (token->size > stele_field_limit (field))
        return s_too_large (field, token->size, refusal);
    if (stele_field_kind (field) == STELE_KIND_ID && token->size == 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, name,
            "%s is empty: it takes text of at least one byte", name);
    stele_record_set_text (record, field, token->data, token->size);
    return 0;
}

static int
s_decode_content (stele_record_t *record, stele_field_t field, const stele_token_t *token,
    stele_refusal_t *refusal)
{
    if (token->kind != STELE_SCAN_BYTES)
        return s_decode_text (record, field, token, refusal);
    if (token->size > stele_field_limit (field))
        return s_too_large (field, token->size, refusal);
    stele_record_set_bytes (record, field, token->data, token->size);
    return 0;
}

static int
s_decode_word (stele_record_t *record, stele_field_t field, stele_vocabulary_t vocabulary,
    const stele_token_t *token, stele_refusal_t *refusal)
{
    const char *name = stele_field_name (field);
    if (token->kind != STELE_SCAN_TEXT)
        return s_wrong_kind (field, token, refusal);
    if (!stele_utf8_valid (token->data, token->size))
        return stele_refuse (refusal, STELE_EMALFORMED, name, "%s is not valid UTF-8", name);
    int code = stele_vocabulary_code (vocabulary, token->data, token->size);
    if (code == 0) {
        char shown [STELE_QUOTE_SIZE];
        return stele_refuse (refusal, STELE_EINVALID_FIELD, name, "%s takes %s, not '%s'", name,
            stele_vocabulary_list (vocabulary), stele_quote (shown, token->data, token->size));
    }
    stele_record_set_word (record, field, vocabulary, code);
    return 0;
}

static int
s_decode_number (stele_record_t *record, stele_field_t field, const stele_token_t *token,
    stele_refusal_t *refusal)
{
    stele_kind_t kind = stele_field_kind (field);
    stele_value_t *value = &record->values [field];
    if (token->kind == STELE_SCAN_INTEGER && (kind != STELE_KIND_NATURAL || token->integer >= 0))
        stele_record_set_integer (record, field, token->integer);
    else
    if (token->kind == STELE_SCAN_UNSIGNED && kind == STELE_KIND_NUMBER) {
        value->kind = STELE_VALUE_UNSIGNED;
        value->natural = token->natural;
    }
    else
    if (token->kind == STELE_SCAN_REAL && kind == STELE_KIND_NUMBER) {
        value->kind = STELE_VALUE_REAL;
        value->real = token->real;
    }
    else
        return s_wrong_kind (field, token, refusal);
    return 0;
}

static int
s_decode_time (stele_record_t *record, stele_field_t field, const s_span_t *span,
    stele_refusal_t *refusal)
{
    int64_t time_us;
    if (stele_time_unpack (span->data, span->size, &time_us)) {
        char shown [STELE_QUOTE_SIZE];
        if (span->token.kind != STELE_SCAN_TEXT)
            return s_wrong_kind (field, &span->token, refusal);
        return stele_refuse (refusal, STELE_EINVALID_FIELD, stele_field_name (field),
            "%s takes RFC 3339 text such as 2026-01-31T23:59:59Z, of the years 1 to 9999, not '%s'",
            stele_field_name (field), stele_quote (shown, span->token.data, span->token.size));
    }
    stele_record_set_integer (record, field, time_us);
    return 0;
}

static int
s_decode_map (stele_record_t *record, stele_field_t field, const s_span_t *span,
    stele_refusal_t *refusal)
{
    if (span->token.kind != STELE_SCAN_MAP)
        return s_wrong_kind (field, &span->token, refusal);
    const char *name = stele_field_name (field);
    const char *text = NULL;
    size_t size = 0;
    stele_refusal_t reason;
    int rc = stele_json_text_within (span->data, span->size, stele_field_limit (field),
        record, &text, &size, &reason);
    if (rc == STELE_ETOO_LARGE)
        return stele_refuse (refusal, STELE_ETOO_LARGE, name,
            "%s has %zu bytes as JSON, the limit is %zu", name, size, stele_field_limit (field));
    if (rc == STELE_ENO_MEMORY)
        return rc;
    if (rc)
        return stele_refuse (refusal, rc, name, "%s: %s", name, reason.message);
    stele_record_set_json (record, field, text, size);
    return 0;
}

static int
s_decode_field (stele_record_t *record, stele_field_t field, const s_span_t *span,
    stele_refusal_t *refusal)
{
    switch (stele_field_kind (field)) {
        case STELE_KIND_ID:
        case STELE_KIND_TEXT:
            return s_decode_text (record, field, &span->token, refusal);
        case STELE_KIND_CONTENT:
            return s_decode_content (record, field, &span->token, refusal);
        case STELE_KIND_NATURAL:
        case STELE_KIND_INTEGER:
        case STELE_KIND_NUMBER:
            return s_decode_number (record, field, &span->token, refusal);
        case STELE_KIND_BOOL:
            if (span->token.kind != STELE_SCAN_BOOL)
                return s_wrong_kind (field, &span->token, refusal);
            stele_record_set_bool (record, field, span->token.integer);
            return 0;
        case STELE_KIND_TIME:
            return s_decode_time (record, field, span, refusal);
        case STELE_KIND_MAP:
            return s_decode_map (record, field, span, refusal);
        case STELE_KIND_STATE:
            return s_decode_word (record, field, stele_record_state_vocabulary (record->type),
                &span->token, refusal);
        default:
            return s_decode_word (record, field, STELE_VOCABULARY_OUTPUT_TYPE,
                &span->token, refusal);
    }
}

static int
s_check_present (stele_field_set_t have, int type, stele_refusal_t *refusal)
{
    stele_field_set_t missing = stele_field_required (type) & ~have;
    const char *type_name = stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, type);
    if (missing) {
        const char *name = stele_field_name ((stele_field_t) __builtin_ctzll (missing));
        return stele_refuse (refusal, STELE_EMISSING_FIELD, name, "%s needs %s", type_name, name);
    }
    stele_field_set_t any_of = stele_field_any_of (type);
    if (any_of == 0 || (have & any_of))
        return 0;
    char list [sizeof refusal->message];
    size_t size = 0;
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++) {
        const char *name = stele_field_name (field);
        if (!(any_of & STELE_FIELD_BIT (field)) || size + strlen (name) + 3 > sizeof list)
            continue;
        memcpy (list + size, ", ", 2);
        memcpy (list + size + 2, name, strlen (name) + 1);
        size += strlen (name) + 2;
    }
    return stele_refuse (refusal, STELE_EMISSING_FIELD,
        stele_field_name ((stele_field_t) __builtin_ctzll (any_of)),
        "%s needs at least one of %s", type_name, size? list + 2: "");
}

//  Collect the keys that this type of event does not have into one JSON object
static int
s_keep_extra (const s_event_t *self, stele_field_set_t known, s_source_t source, stele_record_t *record,
    stele_refusal_t *refusal)
{
    stele_scan_t scan = self->entries;
    size_t room = (size_t) (scan.end - scan.next);
    unsigned char *map = stele_record_alloc (record, room + 5);
    if (!map)
        return STELE_ENO_MEMORY;
    size_t size = 5;
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        const unsigned char *start = scan.next;
        stele_token_t key = stele_scan_next (&scan);
        stele_scan_skip (&scan, NULL, NULL);
        int slot = s_slot (&key);
        //  The hash of a line is of its own position: an imported event has another one
        if (slot >= STELE_EVENT_FIELD_COUNT || (source != S_REPLAYED && s_is_erased_leaf (&key))
        ||  (slot != STELE_FIELD_NONE && (known & STELE_FIELD_BIT (slot))))
            continue;
        memcpy (map + size, start, (size_t) (scan.next - start));
        size += (size_t) (scan.next - start);
        count++;
    }
    if (count == 0)
        return 0;
    map [0] = 0xdf;                 // map 32
    for (int i = 0; i < 4; i++)
        map [1 + i] = (unsigned char) (count >> (24 - 8 * i));
    const char *text;
    size_t text_size = 0;
    int rc = stele_json_text_within (map, size, STELE_LIMIT_CONTENT, record,
        &text, &text_size, refusal);
    if (rc == STELE_ETOO_LARGE)
        return stele_refuse (refusal, rc, NULL, "the unknown keys of %s have %zu bytes "
            "as JSON, the limit is %d", stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE,
            record->type), text_size, STELE_LIMIT_CONTENT);
    if (rc == 0)
        record->extra = (stele_value_t) {
            .kind = STELE_VALUE_JSON, .text = text, .size = (uint32_t) text_size
        };
    return rc;
}

//  'interrupted' of an exported event, which the broker set
static int
s_restore_interrupted (const s_event_t *self, stele_record_t *record, stele_refusal_t *refusal)
{
    const stele_token_t *token = &self->spans [S_INTERRUPTED].token;
    if (token->kind == STELE_SCAN_NIL || (token->kind == STELE_SCAN_BOOL && !token->integer))
        return 0;
    if (token->kind != STELE_SCAN_BOOL || record->type != STELE_TASK_STATE_CHANGED
    ||  stele_record_integer (record, STELE_STATE, 0) != STELE_TASK_FAILED)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "interrupted",
            "interrupted may only be true in a task.state_changed to failed");
    stele_record_set_bool (record, STELE_INTERRUPTED, true);
    return 0;
}

static int
s_decode (const void *data, size_t size, s_source_t source, stele_record_t *record,
    stele_refusal_t *refusal)
{
    s_event_t event;
    int type = 0;
    int rc = s_collect (&event, data, size, refusal);
    if (rc == 0)
        rc = s_decode_type (&event, &type, refusal);
    if (rc == 0 && source == S_PUBLISHED && stele_event_subject (type) == STELE_SUBJECT_AUDIT)
        rc = stele_refuse (refusal, STELE_EINVALID_FIELD, "type",
            "only the broker records events of the type %s; use a type of your own work, such as task.updated",
            stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, type));
    if (rc == 0 && source == S_PUBLISHED && event.erased)
        rc = stele_refuse (refusal, STELE_EINVALID_FIELD, STELE_ERASED_LEAF,
            "only the broker writes " STELE_ERASED_LEAF ", in events that were erased: use another key");
    if (rc)
        return rc;

    record->type = type;
    stele_field_set_t known = stele_field_known (type);
    stele_field_set_t have = 0;
    for (uint64_t left = event.seen & known; left; left &= left - 1) {
        stele_field_t field = (stele_field_t) __builtin_ctzll (left);
        if (event.spans [field].token.kind == STELE_SCAN_NIL)
            continue;
        rc = s_decode_field (record, field, &event.spans [field], refusal);
        if (rc)
            return rc;
        have |= STELE_FIELD_BIT (field);
    }
    rc = s_check_present (have, type, refusal);
    uint64_t fields = STELE_FIELD_BIT (STELE_EVENT_FIELD_COUNT) - 1;
    if (rc == 0 && (event.unknown || (event.seen & fields & ~known)))
        rc = s_keep_extra (&event, known, source, record, refusal);
    if (rc == 0 && source != S_PUBLISHED && (event.seen & STELE_FIELD_BIT (S_INTERRUPTED)))
        rc = s_restore_interrupted (&event, record, refusal);
    return rc;
}

int
stele_event_decode_record (const void *data, size_t size, stele_record_t *record,
    stele_refusal_t *refusal)
{
    return s_decode (data, size, S_PUBLISHED, record, refusal);
}

int
stele_event_decode_restored (const void *data, size_t size, stele_record_t *record,
    stele_refusal_t *refusal)
{
    return s_decode (data, size, S_RESTORED, record, refusal);
}

int
stele_event_decode_replayed (const void *data, size_t size, stele_record_t *record,
    stele_refusal_t *refusal)
{
    return s_decode (data, size, S_REPLAYED, record, refusal);
}
