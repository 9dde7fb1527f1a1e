/*  json_map - a msgpack map as a JSON object: order of keys, reserved forms, time fields

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "wire/json/json_writer.h"
#include "wire/quote.h"
#include "wire/time.h"

#define PAIRS_MAX 32                // On the stack; larger maps use the heap
#define PAIR_SIZE_MIN 5             // The shortest entry as text: "":1,

//  An entry of a map. Small, since a hostile map has many
typedef struct {
    const unsigned char *key;       // Packed; for sorting the JSON of a key that is not text
    const unsigned char *value;     // Packed; begins where a packed key ends
    uint32_t text_size;             // Of a text key, which ends at 'value'; else of the JSON
    bool is_text;
    bool is_owned;                  // The JSON of the key is not in an arena
} s_pair_t;

static int
s_compare_bytes (const void *one, size_t one_size, const void *other, size_t other_size)
{
    size_t common = one_size < other_size? one_size: other_size;
    int order = common? memcmp (one, other, common): 0;
    return order? order: (one_size > other_size) - (one_size < other_size);
}

static const char *
s_text (const s_pair_t *pair)
{
    return (const char *) pair->value - pair->text_size;
}

static bool
s_key_is (const s_pair_t *pair, const char *name)
{
    return pair->is_text && pair->text_size == strlen (name)
        && memcmp (s_text (pair), name, pair->text_size) == 0;
}

//  Sort strings by their bytes, and after them other keys by the bytes of their JSON: the same
//  number can be packed in several ways
static int
s_compare (const void *one, const void *other)
{
    const s_pair_t *left = one;
    const s_pair_t *right = other;
    if (left->is_text != right->is_text)
        return left->is_text? -1: 1;
    if (left->is_text)
        return s_compare_bytes (s_text (left), left->text_size, s_text (right), right->text_size);
    return s_compare_bytes (left->key, left->text_size, right->key, right->text_size);
}

//  Replace a key that is not text by its JSON, in the arena or in memory of its own.
static int
s_print_key (stele_json_writer_t *self, s_pair_t *pair, int depth)
{
    stele_scan_t scan = { .next = pair->key, .end = pair->value };
    size_t max = self->max < UINT32_MAX? self->max: UINT32_MAX;
    stele_json_writer_t writer = {
        .max = max, .arena = self->arena, .nesting = self->nesting,
        .canonical = true, .end = self->end, .refusal = self->refusal
    };
    int rc = stele_json_write_value (&writer, &scan, depth, false);
    self->failed |= writer.failed;
    if (writer.failed || rc || writer.size > max) {
        if (!self->arena)
            free (writer.text);
        //  Too long for the whole text, too: only its size is counted from here on
        if (!writer.failed && rc == 0)
            self->max = 0;
        return writer.failed? STELE_ENO_MEMORY: rc;
    }
    pair->is_owned = !self->arena;
    pair->key = (const unsigned char *) writer.text;
    pair->text_size = (uint32_t) writer.size;
    return 0;
}

//  Faster than qsort for the few keys of an event
static void
s_insert_sorted (s_pair_t *pairs, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        s_pair_t pair = pairs [i];
        uint32_t at = i;
        for (; at > 0 && s_compare (&pairs [at - 1], &pair) > 0; at--)
            pairs [at] = pairs [at - 1];
        pairs [at] = pair;
    }
}

static int
s_sort (stele_json_writer_t *self, s_pair_t *pairs, uint32_t count, int depth)
{
    for (uint32_t i = 0; i < count && self->max; i++) {
        int rc = pairs [i].is_text? 0: s_print_key (self, &pairs [i], depth);
        if (rc)
            return rc;
    }
    if (count < 2 || self->max == 0)
        return 0;
    if (count <= PAIRS_MAX)
        s_insert_sorted (pairs, count);
    else
        qsort (pairs, count, sizeof *pairs, s_compare);
    for (uint32_t i = 1; i < count; i++) {
        if (s_compare (&pairs [i - 1], &pairs [i]) != 0)
            continue;
        char shown [STELE_QUOTE_SIZE];
        stele_quote (shown, pairs [i].is_text? s_text (&pairs [i]): (const char *) pairs [i].key, pairs [i].text_size);
        return stele_refuse (self->refusal, STELE_EMALFORMED, shown,
            "a map has the key '%s' twice", shown);
    }
    return 0;
}

//  Can the map be a JSON object without being mistaken for a reserved form?
static bool
s_plain (const s_pair_t *pairs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!pairs [i].is_text || memchr (s_text (&pairs [i]), 0, pairs [i].text_size))
            return false;
    return count != 1 || pairs [0].text_size == 0 || s_text (&pairs [0]) [0] != '$';
}

static stele_scan_t
s_scan_value (const stele_json_writer_t *self, const s_pair_t *pair)
{
    return (stele_scan_t) { .next = pair->value, .end = self->end };
}

static bool
s_has (const s_pair_t *pairs, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (s_key_is (&pairs [i], name))
            return true;
    return false;
}

//  Is the map an event? Then 'time' is its only time field: other keys belong to the producer. A row
//  of a history has the type of its event too, but is a record.
static bool
s_is_event (const stele_json_writer_t *self, const s_pair_t *pairs, uint32_t count)
{
    if (s_has (pairs, count, "id") && s_has (pairs, count, "state_to") && s_has (pairs, count, "timestamp")
    && !s_has (pairs, count, "time"))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!s_key_is (&pairs [i], "type"))
            continue;
        stele_scan_t scan = s_scan_value (self, &pairs [i]);
        stele_token_t token = stele_scan_next (&scan);
        return token.kind == STELE_SCAN_TEXT
            && stele_vocabulary_code (STELE_VOCABULARY_EVENT_TYPE, token.data, token.size);
    }
    return false;
}

static stele_field_t
s_field (const s_pair_t *pair)
{
    for (int field = 0; field < STELE_FIELD_COUNT && pair->text_size; field++)
        if (*stele_field_name (field) == *s_text (pair) && s_key_is (pair, stele_field_name (field)))
            return (stele_field_t) field;
    return STELE_FIELD_NONE;
}

static int
s_write_with_times (stele_json_writer_t *self, const s_pair_t *pair, bool is_event, int depth)
{
    stele_scan_t scan = s_scan_value (self, pair), probe = scan;
    stele_token_t token = stele_scan_next (&probe);
    //  The name of the field matters only to numbers, and to what contains maps
    if ((token.kind != STELE_SCAN_INTEGER && token.kind != STELE_SCAN_MAP && token.kind != STELE_SCAN_ARRAY)
    ||  (is_event && !s_key_is (pair, "time")))
        return stele_json_write_value (self, &scan, depth, false);
    stele_field_t field = s_field (pair);
    if (field == STELE_FIELD_NONE)
        return stele_json_write_value (self, &scan, depth, !is_event);
    bool is_time = stele_field_kind (field) == STELE_KIND_TIME
        && (!is_event || field == STELE_TIME) && token.kind == STELE_SCAN_INTEGER;
    int64_t time_us;
    if (is_time
    &&  stele_time_unpack (scan.next, (size_t) (probe.next - scan.next), &time_us) == 0) {
        char text [32];
        stele_time_print (time_us, text, sizeof text);
        stele_json_write_string (self, text, strlen (text));
        return 0;
    }
    //  Other values of an event belong to its producer, even if they look like events
    return stele_json_write_value (self, &scan, depth, !is_event && stele_field_kind (field) != STELE_KIND_MAP);
}

static int
s_write_key (stele_json_writer_t *self, const s_pair_t *pair, int depth)
{
    if (!pair->is_text && pair->text_size) {
        stele_json_put (self, (const char *) pair->key, pair->text_size);
        return 0;
    }
    stele_scan_t scan = { .next = pair->key, .end = pair->value };
    return stele_json_write_value (self, &scan, depth, false);
}

static int
s_write_pairs (stele_json_writer_t *self, s_pair_t *pairs, uint32_t count, int depth, bool times)
{
    int rc = self->canonical? s_sort (self, pairs, count, depth): 0;
    bool plain = s_plain (pairs, count);
    bool is_event = times && plain && s_is_event (self, pairs, count);
    stele_json_puts (self, plain? "{": "{\"$map\":[");
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        stele_json_puts (self, plain? i? ",": "": i? ",[": "[");
        stele_scan_t value = s_scan_value (self, &pairs [i]);
        rc = s_write_key (self, &pairs [i], depth);
        if (rc)
            break;
        stele_json_put (self, plain? ":": ",", 1);
        rc = times && plain? s_write_with_times (self, &pairs [i], is_event, depth):
            stele_json_write_value (self, &value, depth, false);
        if (!plain)
            stele_json_put (self, "]", 1);
    }
    stele_json_puts (self, plain? "}": "]}");
    return rc;
}

static s_pair_t
s_read_pair (stele_scan_t *scan)
{
    stele_scan_t probe = *scan;
    stele_token_t token = stele_scan_next (&probe);
    s_pair_t pair = { .key = scan->next, .is_text = token.kind == STELE_SCAN_TEXT };
    pair.text_size = pair.is_text? token.size: 0;
    stele_scan_skip (scan, NULL, NULL);
    pair.value = scan->next;
    stele_scan_skip (scan, NULL, NULL);
    return pair;
}

int
stele_json_write_map (stele_json_writer_t *self, stele_scan_t *scan, uint32_t count, int depth, bool times)
{
    //  Too many for any text within the limit: do not allocate memory for them
    if (count > self->max / PAIR_SIZE_MIN + 1) {
        for (uint32_t i = 0; i < count; i++)
            s_read_pair (scan);
        stele_json_room (self, (size_t) count * PAIR_SIZE_MIN);
        return 0;
    }
    s_pair_t few [PAIRS_MAX];
    s_pair_t *pairs = count > PAIRS_MAX? malloc (count * sizeof *pairs): few;
    if (!pairs) {
        self->failed = true;
        return STELE_ENO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++)
        pairs [i] = s_read_pair (scan);
    int rc = s_write_pairs (self, pairs, count, depth, times);
    for (uint32_t i = 0; i < count && !self->arena; i++)
        if (pairs [i].is_owned)
            free ((void *) pairs [i].key);
    if (pairs != few)
        free (pairs);
    return rc;
}
