/*  test_wire_event - every field, limit and refusal of every type of event

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>
#include "wire/event/event_codec.h"
#include "wire/json/json.h"
#include "wire/scan.h"

//  One event to be, with one field or none that is not as it should be
typedef struct {
    stele_pack_t *pack;
    stele_record_t *record;
    stele_refusal_t refusal;
    int type;                       // Of s_open
} s_bench_t;

static int
s_setup (void **state)
{
    s_bench_t *self = calloc (1, sizeof *self);
    self->pack = stele_pack_new ();
    self->record = stele_record_new ();
    *state = self;
    return 0;
}

static int
s_teardown (void **state)
{
    s_bench_t *self = *state;
    stele_pack_destroy (&self->pack);
    stele_record_destroy (&self->record);
    free (self);
    return 0;
}

static int
s_decode_bytes (s_bench_t *self, const void *data, size_t size)
{
    stele_record_clear (self->record);
    memset (&self->refusal, 0, sizeof self->refusal);
    assert_int_equal (stele_scan_check (data, size, SIZE_MAX, NULL), 0);
    //  A copy of its own, so that a read behind the end is seen. It stays until the next one
    static void *copy;
    free (copy);
    copy = malloc (size);
    memcpy (copy, data, size);
    //  What only the broker makes is decoded if it is restored
    bool of_broker = stele_event_subject (self->type) == STELE_SUBJECT_AUDIT;
    int rc = (of_broker? stele_event_decode_restored: stele_event_decode_record) (copy, size, self->record,
        &self->refusal);
    if (rc) {
        assert_int_equal (rc, self->refusal.code);
        assert_true (self->refusal.message [0] != 0);
        assert_true (stele_utf8_valid (self->refusal.message, strlen (self->refusal.message)));
        assert_true (stele_utf8_valid (self->refusal.field, strlen (self->refusal.field)));
    }
    return rc;
}

static int
s_decode (s_bench_t *self)
{
    return s_decode_bytes (self, stele_pack_data (self->pack), stele_pack_size (self->pack));
}

static int
s_decode_json (s_bench_t *self, const char *json)
{
    self->type = 0;
    stele_pack_clear (self->pack);
    stele_refusal_t refusal;
    if (stele_json_parse_pack (json, strlen (json), self->pack, &refusal))
        fail_msg ("%s: %s", json, refusal.message);
    return s_decode (self);
}

static void
s_refused (s_bench_t *self, int rc, int code, const char *field, const char *says)
{
    if (rc != code || strcmp (self->refusal.field, field) != 0
    ||  (says && !strstr (self->refusal.message, says)))
        fail_msg ("%s [%s] '%s' instead of %s [%s] '%s'", stele_error_name (rc), self->refusal.field,
            self->refusal.message, stele_error_name (code), field, says? says: "");
}

static void
s_pack_valid (stele_pack_t *pack, int type, stele_field_t field)
{
    switch (stele_field_kind (field)) {
        case STELE_KIND_NATURAL:
        case STELE_KIND_INTEGER:
        case STELE_KIND_TIME:
            stele_pack_integer (pack, 1234567);
            break;
        case STELE_KIND_NUMBER:
            stele_pack_real (pack, 1.5);
            break;
        case STELE_KIND_BOOL:
            stele_pack_bool (pack, true);
            break;
        case STELE_KIND_MAP:
            stele_pack_map (pack, 1);
            stele_pack_key_integer (pack, "a", 1);
            break;
        case STELE_KIND_STATE:
            stele_pack_string (pack, stele_vocabulary_word (stele_record_state_vocabulary (type), 3));
            break;
        case STELE_KIND_OUTPUT_TYPE:
            stele_pack_string (pack, "log");
            break;
        default:
            stele_pack_string (pack, stele_field_name (field));
    }
}

//  Open an event of that type and pack valid values of a set of fields; the caller adds
//  'more' entries of its own
static void
s_open (s_bench_t *self, int type, stele_field_set_t fields, size_t more)
{
    self->type = type;
    stele_pack_clear (self->pack);
    stele_pack_map (self->pack, 1 + (size_t) __builtin_popcountll (fields) + more);
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++)
        if (fields & STELE_FIELD_BIT (field)) {
            stele_pack_string (self->pack, stele_field_name (field));
            s_pack_valid (self->pack, type, field);
        }
    stele_pack_key_string (self->pack, "type",
        stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, type));
}

//  All that a type knows, but one field, whose key comes last: the caller packs its value
static void
s_open_but (s_bench_t *self, int type, stele_field_t field)
{
    s_open (self, type, stele_field_known (type) & ~STELE_FIELD_BIT (field), 1);
    stele_pack_string (self->pack, stele_field_name (field));
}

//  for each (type, field it knows)
#define EACH_FIELD(type, field) \
    for (int type = 1; type < STELE_EVENT_TYPE_END; type++) \
        for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++) \
            if (stele_field_known (type) & STELE_FIELD_BIT (field))

static bool
s_is_text (stele_field_t field)
{
    stele_kind_t kind = stele_field_kind (field);
    return kind == STELE_KIND_ID || kind == STELE_KIND_TEXT || kind == STELE_KIND_CONTENT;
}

static void
test_wire_event_required_fields_alone_are_taken (void **state)
{
    s_bench_t *self = *state;
    for (int type = 1; type < STELE_EVENT_TYPE_END; type++) {
        stele_field_set_t any_of = stele_field_any_of (type);
        stele_field_set_t fields = stele_field_required (type) | (any_of & -any_of);
        s_open (self, type, fields, 0);
        s_refused (self, s_decode (self), 0, "", NULL);
        assert_int_equal (self->record->type, type);
        for (int field = 0; field < STELE_FIELD_COUNT; field++)
            assert_int_equal (stele_record_has (self->record, field),
                field < STELE_EVENT_FIELD_COUNT && (fields & STELE_FIELD_BIT (field)) != 0);
        assert_int_equal (self->record->extra.kind, STELE_VALUE_NONE);
    }
}

static void
test_wire_event_all_known_fields_come_back_as_they_were (void **state)
{
    s_bench_t *self = *state;
    for (int type = 1; type < STELE_EVENT_TYPE_END; type++) {
        s_open (self, type, stele_field_known (type), 0);
        s_refused (self, s_decode (self), 0, "", NULL);
        stele_record_t *again = stele_record_new ();
        stele_pack_t *pack = stele_pack_new ();
        stele_record_pack (self->record, pack);
        assert_int_equal (stele_scan_check (stele_pack_data (pack), stele_pack_size (pack), 1000, NULL), 0);
        //  'type' first
        assert_memory_equal ((const char *) stele_pack_data (pack) + (stele_pack_size (pack) > 0? 1: 0)
            + (((const unsigned char *) stele_pack_data (pack)) [0] == 0xde? 2: 0), "\xa4type", 5);
        assert_int_equal (stele_event_decode_restored (stele_pack_data (pack), stele_pack_size (pack), again,
            &self->refusal), 0);
        assert_true (stele_record_equal (self->record, again));
        assert_int_equal (stele_pack_size (pack), stele_pack_size (self->pack));
        stele_pack_destroy (&pack);
        stele_record_destroy (&again);
    }
}

static void
test_wire_event_each_required_field_missing_is_named (void **state)
{
    s_bench_t *self = *state;
    EACH_FIELD (type, field)
        if (stele_field_required (type) & STELE_FIELD_BIT (field)) {
            s_open (self, type, stele_field_known (type) & ~STELE_FIELD_BIT (field), 0);
            s_refused (self, s_decode (self), STELE_EMISSING_FIELD, stele_field_name (field),
                stele_field_name (field));
            //  nil is absent
            s_open_but (self, type, field);
            stele_pack_nil (self->pack);
            s_refused (self, s_decode (self), STELE_EMISSING_FIELD, stele_field_name (field), NULL);
        }
}

static void
test_wire_event_optional_nil_is_absent (void **state)
{
    s_bench_t *self = *state;
    EACH_FIELD (type, field)
        if (!(stele_field_required (type) & STELE_FIELD_BIT (field))) {
            s_open_but (self, type, field);
            stele_pack_nil (self->pack);
            s_refused (self, s_decode (self), 0, "", NULL);
            assert_false (stele_record_has (self->record, field));
            assert_int_equal (self->record->extra.kind, STELE_VALUE_NONE);
        }
}

static void
test_wire_event_one_of_several_missing_lists_them (void **state)
{
    s_bench_t *self = *state;
    for (int type = 1; type < STELE_EVENT_TYPE_END; type++) {
        if (!stele_field_any_of (type))
            continue;
        s_open (self, type, stele_field_required (type), 0);
        assert_int_equal (s_decode (self), STELE_EMISSING_FIELD);
        for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++)
            if (stele_field_any_of (type) & STELE_FIELD_BIT (field))
                assert_non_null (strstr (self->refusal.message, stele_field_name (field)));
        s_open (self, type, stele_field_required (type), 1);
        stele_pack_key_string (self->pack, "preferred_model", NULL);
        assert_int_equal (s_decode (self), STELE_EMISSING_FIELD);
    }
}

//  One value of every msgpack kind
static const struct { stele_scan_kind_t kind; const char *bytes; size_t size; } s_values [] = {
    { STELE_SCAN_BOOL, "\xc3", 1 }, { STELE_SCAN_INTEGER, "\x05", 1 },
    { STELE_SCAN_UNSIGNED, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9 },
    { STELE_SCAN_REAL, "\xcb\x3f\xf8\0\0\0\0\0\0", 9 }, { STELE_SCAN_TEXT, "\xa4nope", 5 },
    { STELE_SCAN_BYTES, "\xc4\x01\xff", 3 }, { STELE_SCAN_EXT, "\xd4\x05\x01", 3 },
    { STELE_SCAN_ARRAY, "\x91\x01", 2 }, { STELE_SCAN_MAP, "\x81\xa1\x61\x01", 4 }
};

static bool
s_fits (stele_kind_t kind, stele_scan_kind_t came)
{
    switch (kind) {
        case STELE_KIND_ID:
        case STELE_KIND_TEXT:
            return came == STELE_SCAN_TEXT;
        case STELE_KIND_CONTENT:
            return came == STELE_SCAN_TEXT || came == STELE_SCAN_BYTES;
        case STELE_KIND_NATURAL:
        case STELE_KIND_INTEGER:
        case STELE_KIND_TIME:
            return came == STELE_SCAN_INTEGER;
        case STELE_KIND_NUMBER:
            return came == STELE_SCAN_INTEGER || came == STELE_SCAN_UNSIGNED || came == STELE_SCAN_REAL;
        case STELE_KIND_BOOL:
            return came == STELE_SCAN_BOOL;
        case STELE_KIND_MAP:
            return came == STELE_SCAN_MAP;
        default:
            return false;           // "nope" is no word of any vocabulary
    }
}

static void
test_wire_event_each_field_takes_its_kinds_and_no_other (void **state)
{
    s_bench_t *self = *state;
    EACH_FIELD (type, field)
        for (size_t i = 0; i < sizeof s_values / sizeof s_values [0]; i++) {
            s_open_but (self, type, field);
            stele_pack_packed (self->pack, s_values [i].bytes, s_values [i].size);
            const char *name = stele_field_name (field);
            if (s_fits (stele_field_kind (field), s_values [i].kind))
                s_refused (self, s_decode (self), 0, "", NULL);
            else
                s_refused (self, s_decode (self), STELE_EINVALID_FIELD, name, name);
        }
}

static void
test_wire_event_each_limit_holds_at_the_byte (void **state)
{
    s_bench_t *self = *state;
    char *big = malloc (STELE_LIMIT_CONTENT + 1);
    memset (big, 'x', STELE_LIMIT_CONTENT + 1);
    bool done [STELE_EVENT_FIELD_COUNT] = { false };
    EACH_FIELD (type, field) {
        size_t limit = stele_field_limit (field);
        if (!s_is_text (field) || (done [field] && limit > STELE_LIMIT_WORD))
            continue;
        done [field] = true;
        for (size_t over = 0; over < 2; over++) {
            s_open_but (self, type, field);
            stele_pack_text (self->pack, big, limit + over);
            char both [64];
            snprintf (both, sizeof both, "%zu bytes, the limit is %zu", limit + 1, limit);
            s_refused (self, s_decode (self), over? STELE_ETOO_LARGE: 0,
                over? stele_field_name (field): "", over? both: "");
            if (!over)
                assert_int_equal (self->record->values [field].size, limit);
        }
        if (stele_field_kind (field) == STELE_KIND_CONTENT) {
            s_open_but (self, type, field);
            stele_pack_bytes (self->pack, big, limit + 1);
            s_refused (self, s_decode (self), STELE_ETOO_LARGE, stele_field_name (field), NULL);
        }
    }
    free (big);
}

static void
test_wire_event_each_map_limit_counts_its_json (void **state)
{
    s_bench_t *self = *state;
    char *big = malloc (STELE_LIMIT_TEXT);
    memset (big, 'x', STELE_LIMIT_TEXT);
    EACH_FIELD (type, field) {
        if (stele_field_kind (field) != STELE_KIND_MAP)
            continue;
        for (size_t over = 0; over < 2; over++) {
            s_open_but (self, type, field);
            stele_pack_map (self->pack, 1);
            stele_pack_string (self->pack, "k");
            stele_pack_text (self->pack, big, stele_field_limit (field) - strlen ("{\"k\":\"\"}") + over);
            s_refused (self, s_decode (self), over? STELE_ETOO_LARGE: 0,
                over? stele_field_name (field): "", NULL);
        }
    }
    free (big);
}

static void
test_wire_event_invalid_utf8_names_the_field (void **state)
{
    s_bench_t *self = *state;
    EACH_FIELD (type, field) {
        stele_kind_t kind = stele_field_kind (field);
        bool word = kind == STELE_KIND_STATE || kind == STELE_KIND_OUTPUT_TYPE;
        if (!s_is_text (field) && !word && kind != STELE_KIND_MAP)
            continue;
        s_open_but (self, type, field);
        if (kind == STELE_KIND_MAP)
            stele_pack_packed (self->pack, "\x81\xa1k", 3);
        stele_pack_text (self->pack, "ab\xed\xa0\x80", 5);
        s_refused (self, s_decode (self), STELE_EMALFORMED, stele_field_name (field), "UTF-8");
    }
}

static void
test_wire_event_empty_id_is_refused (void **state)
{
    s_bench_t *self = *state;
    EACH_FIELD (type, field) {
        s_open_but (self, type, field);
        stele_pack_string (self->pack, "");
        if (stele_field_kind (field) == STELE_KIND_ID)
            s_refused (self, s_decode (self), STELE_EINVALID_FIELD, stele_field_name (field), "at least one");
        else
        if (s_is_text (field))
            s_refused (self, s_decode (self), 0, "", NULL);
    }
}

static void
test_wire_event_negative_is_no_natural (void **state)
{
    s_bench_t *self = *state;
    EACH_FIELD (type, field) {
        stele_kind_t kind = stele_field_kind (field);
        if (kind != STELE_KIND_NATURAL && kind != STELE_KIND_INTEGER && kind != STELE_KIND_NUMBER)
            continue;
        s_open_but (self, type, field);
        stele_pack_integer (self->pack, -1);
        bool natural = kind == STELE_KIND_NATURAL;
        s_refused (self, s_decode (self), natural? STELE_EINVALID_FIELD: 0,
            natural? stele_field_name (field): "", natural? "negative": "");
    }
}

static void
test_wire_event_every_word_is_known_and_an_unknown_one_lists_them (void **state)
{
    s_bench_t *self = *state;
    EACH_FIELD (type, field) {
        stele_kind_t kind = stele_field_kind (field);
        if (kind != STELE_KIND_STATE && kind != STELE_KIND_OUTPUT_TYPE)
            continue;
        stele_vocabulary_t vocabulary = kind == STELE_KIND_OUTPUT_TYPE?
            STELE_VOCABULARY_OUTPUT_TYPE: stele_record_state_vocabulary (type);
        const char *word;
        for (int code = 1; (word = stele_vocabulary_word (vocabulary, code)); code++) {
            s_open_but (self, type, field);
            stele_pack_string (self->pack, word);
            s_refused (self, s_decode (self), 0, "", NULL);
            assert_int_equal (self->record->values [field].kind, STELE_VALUE_WORD);
            assert_int_equal (self->record->values [field].vocabulary, vocabulary);
            assert_int_equal (self->record->values [field].integer, code);
        }
        s_open_but (self, type, field);
        stele_pack_string (self->pack, "a word that is far too long to be shown whole in the message");
        s_refused (self, s_decode (self), STELE_EINVALID_FIELD, stele_field_name (field),
            stele_vocabulary_list (vocabulary));
    }
}

static void
test_wire_event_numbers_keep_their_kind (void **state)
{
    s_bench_t *self = *state;
    const stele_value_t *value = &self->record->values [STELE_VALUE];
#define METRIC "{\"type\":\"task.metric_recorded\",\"task_id\":\"t\",\"name\":\"n\",\"value\":"
    assert_int_equal (s_decode_json (self, METRIC "-5}"), 0);
    assert_int_equal (value->kind, STELE_VALUE_INTEGER);
    assert_int_equal (value->integer, -5);
    assert_int_equal (s_decode_json (self, METRIC "{\"$uint\":\"18446744073709551615\"}}"), 0);
    assert_int_equal (value->kind, STELE_VALUE_UNSIGNED);
    assert_true (value->natural == UINT64_MAX);
    assert_int_equal (s_decode_json (self, METRIC "1.0}"), 0);
    assert_int_equal (value->kind, STELE_VALUE_REAL);
    assert_true (value->real == 1.0);
    assert_int_equal (s_decode_json (self, METRIC "{\"$float\":\"NaN\"}}"), 0);
    assert_true (isnan (value->real));
    assert_int_equal (s_decode_json (self, METRIC "{\"$float\":\"-Infinity\"}}"), 0);
    assert_true (value->real == -INFINITY);
    s_refused (self, s_decode_json (self, METRIC "true}"), STELE_EINVALID_FIELD, "value", "a bool");
    s_refused (self, s_decode_json (self, METRIC "\"5\"}"), STELE_EINVALID_FIELD, "value", "text");
}

static void
test_wire_event_time_is_taken_in_three_forms (void **state)
{
    s_bench_t *self = *state;
#define TIME "{\"type\":\"task.updated\",\"task_id\":\"t\",\"title\":\"x\",\"time\":"
    static const char *const forms [] = {
        TIME "1000000}", TIME "\"1970-01-01T00:00:01Z\"}", TIME "{\"$ext\":[-1,\"AAAAAQ==\"]}}"
    };
    for (int i = 0; i < 3; i++) {
        assert_int_equal (s_decode_json (self, forms [i]), 0);
        assert_int_equal (stele_record_integer (self->record, STELE_TIME, 0), 1000000);
    }
    s_refused (self, s_decode_json (self, TIME "\"noon\"}"), STELE_EINVALID_FIELD, "time", "noon");
    s_refused (self, s_decode_json (self, TIME "1.5}"), STELE_EINVALID_FIELD, "time", "a float");
    s_refused (self, s_decode_json (self, TIME "9223372036854775807}"), STELE_EINVALID_FIELD, "time", NULL);
    s_refused (self, s_decode_json (self, TIME "\"\"}"), STELE_EINVALID_FIELD, "time", NULL);
}

static void
test_wire_event_type_is_checked_first (void **state)
{
    s_bench_t *self = *state;
    s_refused (self, s_decode_json (self, "{}"), STELE_EMISSING_FIELD, "type", NULL);
    s_refused (self, s_decode_json (self, "{\"type\":null}"), STELE_EMISSING_FIELD, "type", NULL);
    s_refused (self, s_decode_json (self, "{\"type\":5,\"title\":5}"), STELE_EINVALID_FIELD, "type", "an integer");
    s_refused (self, s_decode_json (self, "{\"type\":\"task.exploded\",\"title\":5}"),
        STELE_EUNKNOWN_TYPE, "type", "task.exploded");
    s_refused (self, s_decode_json (self, "{\"type\":\"\"}"), STELE_EUNKNOWN_TYPE, "type", NULL);
    s_refused (self, s_decode_json (self, "{\"type\":\"task.created\\u0000\"}"), STELE_EUNKNOWN_TYPE, "type", NULL);
    assert_int_equal (s_decode_bytes (self, "\x81\xa4type\xa2\xff\x01", 9), STELE_EUNKNOWN_TYPE);
}

static void
test_wire_event_that_is_no_map_of_text_keys_is_malformed (void **state)
{
    s_bench_t *self = *state;
    s_refused (self, s_decode_json (self, "5"), STELE_EMALFORMED, "", "an integer");
    s_refused (self, s_decode_json (self, "[{}]"), STELE_EMALFORMED, "", "an array");
    s_refused (self, s_decode_json (self, "null"), STELE_EMALFORMED, "", "nil");
    s_refused (self, s_decode_json (self, "{\"$map\":[[1,2]]}"), STELE_EMALFORMED, "", "key");
    s_refused (self, s_decode_json (self, "{\"$map\":[[{\"$bin\":\"AA==\"},2],[\"type\",\"x\"]]}"),
        STELE_EMALFORMED, "", "key");
    s_refused (self, s_decode_bytes (self, "\x81\xa1\xff\x01", 4), STELE_EMALFORMED, "", "UTF-8");
}

static void
test_wire_event_key_twice_is_malformed_and_named (void **state)
{
    s_bench_t *self = *state;
    static const char *const keys [] = { "type", "task_id", "title", "position", "mine" };
    for (size_t i = 0; i < sizeof keys / sizeof keys [0]; i++) {
        stele_field_set_t fields = stele_field_required (STELE_TASK_CREATED);
        s_open (self, STELE_TASK_CREATED, fields, 2);
        stele_pack_key_string (self->pack, keys [i], "task.created");
        stele_pack_key_string (self->pack, i < 3? "other": keys [i], "task.created");
        s_refused (self, s_decode (self), STELE_EMALFORMED, keys [i], keys [i]);
    }
    s_open_but (self, STELE_TASK_CREATED, STELE_METADATA);
    stele_pack_packed (self->pack, "\x82\xa1k\x01\xa1k\x01", 7);
    s_refused (self, s_decode (self), STELE_EMALFORMED, "metadata", "'k' twice");
    //  The same number, packed in one byte and in two
    s_open_but (self, STELE_TASK_CREATED, STELE_METADATA);
    stele_pack_packed (self->pack, "\x82\x05\x01\xd0\x05\x02", 6);
    s_refused (self, s_decode (self), STELE_EMALFORMED, "metadata", "'5' twice");
}

static void
test_wire_event_keys_that_are_numbers_are_in_one_order_however_packed (void **state)
{
    s_bench_t *self = *state;
    s_open_but (self, STELE_TASK_CREATED, STELE_METADATA);
    stele_pack_packed (self->pack, "\x82\xd0\x07\x01\x5b\x02", 6);
    assert_int_equal (s_decode (self), 0);
    assert_memory_equal (self->record->values [STELE_METADATA].text, "{\"$map\":[[7,1],[91,2]]}", 23);
    s_open_but (self, STELE_TASK_CREATED, STELE_METADATA);
    stele_pack_packed (self->pack, "\x82\xd0\x5b\x02\x07\x01", 6);
    assert_int_equal (s_decode (self), 0);
    assert_memory_equal (self->record->values [STELE_METADATA].text, "{\"$map\":[[7,1],[91,2]]}", 23);
}

static void
test_wire_event_nesting_is_bounded_for_known_and_unknown_keys (void **state)
{
    s_bench_t *self = *state;
    static const char *const keys [] = { "metadata", "mine" };
    for (int i = 0; i < 2; i++)
        for (int depth = STELE_LIMIT_NESTING; depth <= STELE_LIMIT_NESTING + 1; depth++) {
            s_open (self, STELE_TASK_CREATED, stele_field_required (STELE_TASK_CREATED), 1);
            stele_pack_string (self->pack, keys [i]);
            for (int level = 0; level < depth; level++)
                stele_pack_packed (self->pack, "\x81\xa1k", 3);
            stele_pack_nil (self->pack);
            bool over = depth > STELE_LIMIT_NESTING;
            s_refused (self, s_decode (self), over? STELE_EMALFORMED: 0, over? keys [i]: "",
                over? "16": "");
        }
}

static void
s_extra_is (s_bench_t *self, const char *expected)
{
    const stele_value_t *extra = &self->record->extra;
    assert_int_equal (extra->kind, STELE_VALUE_JSON);
    if (extra->size != strlen (expected) || memcmp (extra->text, expected, extra->size) != 0)
        fail_msg ("extra is %.*s, not %s", (int) extra->size, extra->text, expected);
}

static void
test_wire_event_unknown_keys_are_kept_and_come_back (void **state)
{
    s_bench_t *self = *state;
    assert_int_equal (s_decode_json (self, "{\"zeta\":{\"$bin\":\"AAE=\"},\"type\":\"task.metric_recorded\","
        "\"task_id\":\"t\",\"name\":\"n\",\"value\":1,\"title\":5,\"\":null,\"position\":9,\"interrupted\":true,"
        "\"$x\":{\"$map\":[[1,2]]}}"), 0);
    s_extra_is (self, "{\"\":null,\"$x\":{\"$map\":[[1,2]]},\"title\":5,\"zeta\":{\"$bin\":\"AAE=\"}}");
    assert_false (stele_record_has (self->record, STELE_POSITION));
    assert_false (stele_record_has (self->record, STELE_INTERRUPTED));
    assert_false (stele_record_has (self->record, STELE_TITLE));

    stele_pack_t *pack = stele_pack_new ();
    stele_record_pack (self->record, pack);
    char *text = stele_json_print (stele_pack_data (pack), stele_pack_size (pack), true);
    assert_string_equal (text, "{\"type\":\"task.metric_recorded\",\"task_id\":\"t\",\"name\":\"n\",\"value\":1,"
        "\"\":null,\"$x\":{\"$map\":[[1,2]]},\"title\":5,\"zeta\":{\"$bin\":\"AAE=\"}}");
    free (text);
    stele_pack_destroy (&pack);
}

static void
test_wire_event_unknown_key_does_not_hide_the_records_own (void **state)
{
    s_bench_t *self = *state;
    static const char *const extras [] = {
        "{\"id\":99,\"mine\":1,\"sequence\":2}",
        "{\"$map\":[[\"id\",99],[\"mine\",1],[\"sequence\",2]]}"
    };
    for (int i = 0; i < 2; i++) {
        stele_record_clear (self->record);
        stele_record_set_integer (self->record, STELE_ID, 12);
        self->record->extra = (stele_value_t) {
            .kind = STELE_VALUE_JSON, .text = extras [i], .size = (uint32_t) strlen (extras [i])
        };
        stele_pack_clear (self->pack);
        stele_record_pack (self->record, self->pack);
        char *text = stele_json_print (stele_pack_data (self->pack), stele_pack_size (self->pack), false);
        assert_string_equal (text, "{\"id\":12,\"mine\":1,\"sequence\":2}");
        free (text);
    }
}

static void
test_wire_event_one_reserved_looking_key_comes_back (void **state)
{
    s_bench_t *self = *state;
    static const char *const keys [] = { "$bin", "$map", "nul\0", "$" };
    static const size_t sizes [] = { 4, 4, 4, 1 };
    for (int i = 0; i < 4; i++) {
        s_open (self, STELE_TASK_CREATED, stele_field_required (STELE_TASK_CREATED), 1);
        stele_pack_text (self->pack, keys [i], sizes [i]);
        stele_pack_integer (self->pack, 7);
        assert_int_equal (s_decode (self), 0);
        stele_pack_t *pack = stele_pack_new ();
        stele_record_pack (self->record, pack);
        assert_int_equal (stele_scan_check (stele_pack_data (pack), stele_pack_size (pack), 100, NULL), 0);
        size_t tail = sizes [i] + 2;    // Head of the key, key, value
        const char *end = (const char *) stele_pack_data (pack) + stele_pack_size (pack);
        assert_memory_equal (end - tail + 1, keys [i], sizes [i]);
        assert_int_equal (end [-1], 7);
        stele_pack_destroy (&pack);
    }
}

static void
test_wire_event_extra_over_the_limit_is_too_large (void **state)
{
    s_bench_t *self = *state;
    char *big = calloc (1, STELE_LIMIT_CONTENT);
    s_open (self, STELE_TASK_CREATED, stele_field_required (STELE_TASK_CREATED), 1);
    stele_pack_string (self->pack, "mine");
    stele_pack_bytes (self->pack, big, STELE_LIMIT_CONTENT);
    s_refused (self, s_decode (self), STELE_ETOO_LARGE, "", "8388608");
    free (big);
}

static void
test_wire_event_cut_off_or_changed_bytes_never_crash (void **state)
{
    s_bench_t *self = *state;
    for (int type = 1; type < STELE_EVENT_TYPE_END; type++) {
        s_open (self, type, stele_field_known (type), 1);
        stele_pack_string (self->pack, "mine");
        stele_pack_packed (self->pack, "\x82\x01\xc4\x01\xff\xa1k\xcb\x3f\xf8\0\0\0\0\0\0", 16);
        size_t size = stele_pack_size (self->pack);
        for (size_t cut = 0; cut < size; cut++) {
            char *copy = malloc (cut + 1);
            memcpy (copy, stele_pack_data (self->pack), cut);
            assert_int_equal (stele_scan_check (copy, cut, 1000, NULL), STELE_EMALFORMED);
            free (copy);
        }
        unsigned char *copy = malloc (size);
        memcpy (copy, stele_pack_data (self->pack), size);
        for (size_t at = 0; at < size; at++)
            for (int change = 1; change < 256; change++) {
                copy [at] ^= (unsigned char) change;
                if (stele_scan_check (copy, size, 1000, NULL) == 0) {
                    stele_record_clear (self->record);
                    int rc = stele_event_decode_record (copy, size, self->record, &self->refusal);
                    if (rc == 0 && change == 1) {
                        stele_pack_clear (self->pack);
                        stele_record_pack (self->record, self->pack);
                    }
                }
                copy [at] ^= (unsigned char) change;
            }
        free (copy);
    }
}

static void
test_wire_event_of_the_broker_is_refused_of_producers (void **state)
{
    s_bench_t *self = *state;
    int rc = s_decode_json (self, "{\"type\":\"audit.recorded\",\"who\":\"w\",\"operation\":\"mode\",\"outcome\":\"ok\"}");
    s_refused (self, rc, STELE_EINVALID_FIELD, "type", "only the broker records events of the type audit.recorded");
}

static void
test_wire_event_topic_is_type_and_id (void **state)
{
    s_bench_t *self = *state;
    static const char *const topics [STELE_EVENT_TYPE_END] = {
        NULL, "task.created/task_id", "task.updated/task_id", "task.state_changed/task_id",
        "task.output_added/task_id", "task.metric_recorded/task_id", "session.started/session_id",
        "session.state_changed/session_id", "session.command_executed/session_id", "preference.set/user_id",
        "audit.recorded/who"
    };
    char topic [64 + STELE_LIMIT_ID];
    for (int type = 1; type < STELE_EVENT_TYPE_END; type++) {
        s_open (self, type, stele_field_known (type), 0);
        assert_int_equal (s_decode (self), 0);
        size_t size = stele_record_topic (self->record, topic, sizeof topic);
        assert_int_equal (size, strlen (topics [type]));
        assert_memory_equal (topic, topics [type], size);
    }
    assert_int_equal (s_decode_json (self, "{\"type\":\"preference.set\",\"preferred_model\":\"m\"}"), 0);
    size_t size = stele_record_topic (self->record, topic, sizeof topic);
    assert_memory_equal (topic, "preference.set/default", size);
    assert_int_equal (stele_record_topic (self->record, topic, 5), 0);
}

static bool
s_equal (const char *one, const char *other)
{
    static const char head [] = "{\"type\":\"task.created\",\"task_id\":\"t\",\"title\":\"x\",\"description\":\"d\","
        "\"role\":\"r\"";
    stele_record_t *records [2];
    stele_pack_t *packs [2];
    const char *tails [] = { one, other };
    for (int i = 0; i < 2; i++) {
        char json [1000];
        snprintf (json, sizeof json, "%s%s}", head, tails [i]);
        packs [i] = stele_pack_new ();
        records [i] = stele_record_new ();
        assert_int_equal (stele_json_parse_pack (json, strlen (json), packs [i], NULL), 0);
        assert_int_equal (stele_event_decode_record (stele_pack_data (packs [i]), stele_pack_size (packs [i]),
            records [i], NULL), 0);
    }
    bool equal = stele_record_equal (records [0], records [1]);
    assert_int_equal (stele_record_equal (records [1], records [0]), equal);
    for (int i = 0; i < 2; i++) {
        stele_record_destroy (&records [i]);
        stele_pack_destroy (&packs [i]);
    }
    return equal;
}

static void
test_wire_event_equal_follows_defaults (void **state)
{
    (void) state;
    assert_true (s_equal ("", ""));
    assert_true (s_equal ("", ",\"state\":\"queued\",\"target_dir\":\".\",\"full_access\":false,\"user_id\":\"default\""));
    assert_true (s_equal ("", ",\"time\":5"));
    assert_false (s_equal (",\"time\":6", ",\"time\":5"));
    assert_true (s_equal (",\"time\":5,\"position\":1", ",\"time\":5,\"position\":2"));
    assert_false (s_equal ("", ",\"state\":\"running\""));
    assert_false (s_equal ("", ",\"full_access\":true"));
    assert_false (s_equal ("", ",\"user_id\":\"me\""));
    assert_false (s_equal ("", ",\"provider\":\"\""));
    assert_true (s_equal (",\"metadata\":{\"a\":1,\"b\":2}", ",\"metadata\":{\"b\":2,\"a\":1}"));
    assert_false (s_equal (",\"metadata\":{\"a\":1}", ",\"metadata\":{\"a\":1.0}"));
    assert_false (s_equal ("", ",\"mine\":1"));
    assert_true (s_equal (",\"mine\":1", ",\"mine\":1"));
}

static void
test_wire_event_record_values_are_packed_by_kind (void **state)
{
    s_bench_t *self = *state;
    stele_record_clear (self->record);
    stele_record_set_integer (self->record, STELE_POSITION, 12);
    stele_record_set_word (self->record, STELE_STATE_FROM, STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED);
    stele_record_set_bool (self->record, STELE_INTERRUPTED, true);
    stele_record_set_json (self->record, STELE_CHANGES, "{\"a\":[1]}", 9);
    stele_record_set_json (self->record, STELE_DETAILS, "{\"a\":", 5);     // A damaged ledger
    stele_record_set_word (self->record, STELE_STATE, STELE_VOCABULARY_TASK_STATE, 99);
    self->record->values [STELE_EVENT] = (stele_value_t) {
        .kind = STELE_VALUE_PACKED, .text = "\x92\x01\x02", .size = 3
    };
    stele_record_set_bytes (self->record, STELE_CONTENT, "\0\1", 2);
    stele_pack_clear (self->pack);
    stele_record_pack (self->record, self->pack);
    char *text = stele_json_print (stele_pack_data (self->pack), stele_pack_size (self->pack), true);
    assert_string_equal (text, "{\"state\":null,\"details\":null,\"content\":{\"$bin\":\"AAE=\"},\"position\":12,"
        "\"state_from\":\"queued\",\"interrupted\":true,\"changes\":{\"a\":[1]},\"event\":[1,2]}");
    free (text);
}

//  The line from the record is the one of its packed form
static void
s_same_line (s_bench_t *self, char **line, size_t *room)
{
    size_t size, packed_size;
    stele_pack_clear (self->pack);
    stele_record_pack (self->record, self->pack);
    char *packed = stele_json_line (stele_pack_data (self->pack), stele_pack_size (self->pack), true, &packed_size);
    size = stele_json_event (self->record, self->pack, line, room);
    if (!packed)
        assert_int_equal (size, 0);
    else
    if (size != packed_size || memcmp (*line, packed, size) != 0)
        fail_msg ("%.*s is not %.*s", (int) size, *line, (int) packed_size, packed);
    free (packed);
}

static void
test_wire_event_line_from_the_record_is_that_of_the_packed_form (void **state)
{
    s_bench_t *self = *state;
    char *line = NULL;
    size_t room = 0;
    for (int type = 1; type < STELE_EVENT_TYPE_END; type++) {
        s_open (self, type, stele_field_known (type), 0);
        s_refused (self, s_decode (self), 0, "", NULL);
        stele_record_set_integer (self->record, STELE_POSITION, INT64_C (123456789012));
        s_same_line (self, &line, &room);
    }
    static const int64_t times [] = { 0, -1, INT64_C (253402300799999999), INT64_C (253402300800000000), INT64_MIN, INT64_MAX };
    for (size_t i = 0; i < sizeof times / sizeof times [0]; i++) {
        stele_record_set_integer (self->record, STELE_TIME, times [i]);
        s_same_line (self, &line, &room);
    }
    static const char details [] = "{\"b\":[1.5,{\"time\":7}], \"a\":{\"$bin\":\"AAE=\"}}";
    stele_record_set_json (self->record, STELE_DETAILS, details, sizeof details - 1);
    s_same_line (self, &line, &room);
    stele_record_set_json (self->record, STELE_DETAILS, "{\"a\":", 5);      // A damaged ledger
    stele_record_set_word (self->record, STELE_STATE, STELE_VOCABULARY_TASK_STATE, 99);
    s_same_line (self, &line, &room);
    self->record->values [STELE_VALUE] = (stele_value_t) { .kind = STELE_VALUE_REAL, .real = NAN };
    self->record->values [STELE_PID] = (stele_value_t) { .kind = STELE_VALUE_UNSIGNED, .natural = UINT64_MAX };
    stele_record_set_bytes (self->record, STELE_CONTENT, "\0\1", 2);
    stele_record_set_text (self->record, STELE_TITLE, NULL, 0);
    stele_record_set_text (self->record, STELE_ERROR_MESSAGE, "a\0\n\"\\\xe2\x82\xac", 8);
    s_same_line (self, &line, &room);
    stele_record_set_text (self->record, STELE_TITLE, "\xff", 1);
    s_same_line (self, &line, &room);
    free (line);
}

//  A map that counts its keys must not count those of an event inside it

static void
test_wire_event_packed_inside_a_counting_map_keeps_its_keys_apart (void **state)
{
    s_bench_t *self = *state;
    self->record->type = STELE_TASK_UPDATED;
    stele_record_set_text (self->record, STELE_TASK_ID, "a", 1);
    stele_pack_map_begin (self->pack);
    stele_pack_key (self->pack, "event");
    stele_record_pack (self->record, self->pack);
    stele_pack_key_integer (self->pack, "position", 7);
    stele_pack_map_end (self->pack);
    char *text = stele_json_print (stele_pack_data (self->pack), stele_pack_size (self->pack), false);
    assert_string_equal (text, "{\"event\":{\"type\":\"task.updated\",\"task_id\":\"a\"},\"position\":7}");
    free (text);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_wire_event_required_fields_alone_are_taken, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_all_known_fields_come_back_as_they_were, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_each_required_field_missing_is_named, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_optional_nil_is_absent, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_one_of_several_missing_lists_them, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_each_field_takes_its_kinds_and_no_other, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_each_limit_holds_at_the_byte, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_each_map_limit_counts_its_json, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_invalid_utf8_names_the_field, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_empty_id_is_refused, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_negative_is_no_natural, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_every_word_is_known_and_an_unknown_one_lists_them, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_numbers_keep_their_kind, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_time_is_taken_in_three_forms, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_type_is_checked_first, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_that_is_no_map_of_text_keys_is_malformed, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_key_twice_is_malformed_and_named, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_keys_that_are_numbers_are_in_one_order_however_packed,
            s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_nesting_is_bounded_for_known_and_unknown_keys, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_unknown_keys_are_kept_and_come_back, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_unknown_key_does_not_hide_the_records_own, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_one_reserved_looking_key_comes_back, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_extra_over_the_limit_is_too_large, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_cut_off_or_changed_bytes_never_crash, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_of_the_broker_is_refused_of_producers, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_topic_is_type_and_id, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_equal_follows_defaults, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_record_values_are_packed_by_kind, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_line_from_the_record_is_that_of_the_packed_form, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_wire_event_packed_inside_a_counting_map_keeps_its_keys_apart,
            s_setup, s_teardown)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
