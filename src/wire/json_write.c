/*  json_write - msgpack to JSON text

    Written straight from the bytes, without a tree: this is on the path of
    every event that carries a map. Depth is bounded by the callers' limit.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "wire/base64.h"
#include "wire/event_codec.h"
#include "wire/json.h"
#include "wire/quote.h"
#include "wire/scan.h"

#define PAIRS_MAX 32                // Kept on the stack; larger maps use the heap
#define PAIR_SIZE_MIN 5             // The least that an entry needs as text: "":1,
#define TEXT_NESTING (STELE_LIMIT_NESTING + 1)      // 'extra' is one map around its values
#define PRINT_NESTING (STELE_LIMIT_NESTING * 2)     // An answer wraps events in its own levels

typedef struct {
    char *text;
    size_t size;                    // What the whole text needs, also beyond 'max'
    size_t capacity;
    size_t max;                     // Of a longer text only the size is counted
    stele_record_t *arena;          // Where the text lives; NULL: malloc
    int nesting;                    // Levels allowed
    bool canonical;                 // Sort keys, refuse duplicates
    const unsigned char *end;       // Of the msgpack
    bool times;                     // Print time fields as RFC 3339
    bool failed;                    // Out of memory
    stele_refusal_t *refusal;
} s_writer_t;

//  An entry of a map. Small, for a hostile map has many
typedef struct {
    const unsigned char *key;       // As it is packed; the value follows. To be sorted, as JSON if not text
    const unsigned char *value;
    uint32_t text_size;             // Of a key that is text, which ends where the value begins; or of its JSON
    bool is_text;
} s_pair_t;

static int
    s_write_value (s_writer_t *self, stele_scan_t *scan, int depth, bool times);

static bool
s_grow (s_writer_t *self, size_t needed)
{
    size_t capacity = self->capacity * 2 > needed? self->capacity * 2: needed;
    char *text = self->arena? stele_record_alloc (self->arena, capacity):
        realloc (self->text, capacity);
    if (!text) {
        self->failed = true;
        self->max = 0;              // Whatever follows is not stored either
        return false;
    }
    if (self->arena && self->size)
        memcpy (text, self->text, self->size);
    self->text = text;
    self->capacity = capacity;
    return true;
}

//  Room for 'size' bytes, which the caller fills; NULL where the text is over its maximum
static char *
s_room (s_writer_t *self, size_t size)
{
    size_t at = self->size;
    if (at + size > self->max) {
        self->size += size;
        self->max = 0;              // Whatever follows is not stored either
        return NULL;
    }
    bool fits = at + size <= self->capacity || s_grow (self, at + size);
    self->size += size;
    return fits? self->text + at: NULL;
}

static void
s_put (s_writer_t *self, const char *text, size_t size)
{
    char *room = s_room (self, size);
    if (room)
        memcpy (room, text, size);
}

static void
s_puts (s_writer_t *self, const char *string)
{
    s_put (self, string, strlen (string));
}

static void
s_escape (s_writer_t *self, unsigned char byte)
{
    static const char short_forms [] = "\"\"\\\\\bb\ff\nn\rr\tt";
    char escaped [8];
    for (const char *form = short_forms; *form; form += 2)
        if (byte == (unsigned char) form [0]) {
            escaped [0] = '\\';
            escaped [1] = form [1];
            s_put (self, escaped, 2);
            return;
        }
    snprintf (escaped, sizeof escaped, "\\u%04x", byte);
    s_put (self, escaped, 6);
}

//  Valid UTF-8 as a JSON string
static void
s_write_string (s_writer_t *self, const char *text, size_t size)
{
    s_put (self, "\"", 1);
    size_t from = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char) text [i];
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        s_put (self, text + from, i - from);
        s_escape (self, byte);
        from = i + 1;
    }
    if (size > from)
        s_put (self, text + from, size - from);
    s_put (self, "\"", 1);
}

static int
s_write_text (s_writer_t *self, const stele_token_t *token)
{
    if (!stele_utf8_valid (token->data, token->size)) {
        char shown [STELE_QUOTE_SIZE];
        return stele_refuse (self->refusal, STELE_EMALFORMED, NULL,
            "text is not valid UTF-8: '%s'; send bytes as msgpack bin",
            stele_quote (shown, token->data, token->size));
    }
    s_write_string (self, token->data, token->size);
    return 0;
}

static void
s_write_base64 (s_writer_t *self, const stele_token_t *token)
{
    s_put (self, "\"", 1);
    char *room = s_room (self, STELE_BASE64_SIZE ((size_t) token->size));
    if (room)
        stele_base64_encode (token->data, token->size, room);
    s_put (self, "\"", 1);
}

static void
s_write_real (s_writer_t *self, double real)
{
    if (isnan (real) || isinf (real)) {
        s_puts (self, isnan (real)? "{\"$float\":\"NaN\"}":
            real > 0? "{\"$float\":\"Infinity\"}": "{\"$float\":\"-Infinity\"}");
        return;
    }
    //  The shortest text that reads back as the same number
    char text [40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf (text, sizeof text, "%.*g", digits, real);
        if (strtod (text, NULL) == real)
            break;
    }
    //  A locale may have its own decimal point
    size_t point = strspn (text, "-0123456789");
    size_t other = strcspn (text + point, "-+e0123456789");
    if (other > 0) {
        text [point] = '.';
        memmove (text + point + 1, text + point + other, strlen (text + point + other) + 1);
    }
    s_puts (self, text);
    if (!strpbrk (text, ".e"))
        s_puts (self, ".0");
}

static void
s_write_number (s_writer_t *self, const stele_token_t *token)
{
    char text [48];
    if (token->kind == STELE_SCAN_INTEGER)
        snprintf (text, sizeof text, "%" PRId64, token->integer);
    else
        snprintf (text, sizeof text, "{\"$uint\":\"%" PRIu64 "\"}", token->natural);
    s_puts (self, text);
}

static void
s_write_ext (s_writer_t *self, const stele_token_t *token)
{
    char head [24];
    snprintf (head, sizeof head, "{\"$ext\":[%d,", token->ext_type);
    s_puts (self, head);
    s_write_base64 (self, token);
    s_puts (self, "]}");
}

static int
s_write_array (s_writer_t *self, stele_scan_t *scan, uint32_t count, int depth, bool times)
{
    s_put (self, "[", 1);
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            s_put (self, ",", 1);
        int rc = s_write_value (self, scan, depth, times);
        if (rc)
            return rc;
    }
    s_put (self, "]", 1);
    return 0;
}

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

//  Strings by their bytes, before all other keys by those of their JSON: the same number can be
//  packed in many ways
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

//  A key that is not text becomes its JSON, in the arena.
static int
s_print_key (s_writer_t *self, s_pair_t *pair, int depth)
{
    stele_scan_t scan = { .next = pair->key, .end = pair->value };
    size_t max = self->max < UINT32_MAX? self->max: UINT32_MAX;
    s_writer_t writer = {
        .max = max, .arena = self->arena, .nesting = self->nesting,
        .canonical = true, .end = self->end, .refusal = self->refusal
    };
    int rc = s_write_value (&writer, &scan, depth, false);
    self->failed |= writer.failed;
    if (writer.failed || rc)
        return writer.failed? STELE_ENO_MEMORY: rc;
    //  Too long for the whole text, too, whose size is only counted then
    if (writer.size > max) {
        self->max = 0;
        return 0;
    }
    pair->key = (const unsigned char *) writer.text;
    pair->text_size = (uint32_t) writer.size;
    return 0;
}

static int
s_sort (s_writer_t *self, s_pair_t *pairs, uint32_t count, int depth)
{
    for (uint32_t i = 0; i < count && self->max; i++) {
        int rc = pairs [i].is_text? 0: s_print_key (self, &pairs [i], depth);
        if (rc)
            return rc;
    }
    if (count < 2 || self->max == 0)
        return 0;
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

//  Can the map be a JSON object, and not be taken for a reserved form?
static bool
s_plain (const s_pair_t *pairs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!pairs [i].is_text || memchr (s_text (&pairs [i]), 0, pairs [i].text_size))
            return false;
    return count != 1 || pairs [0].text_size == 0 || s_text (&pairs [0]) [0] != '$';
}

static stele_scan_t
s_scan_value (const s_writer_t *self, const s_pair_t *pair)
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

//  Is the map an event? Then 'time' is its only time; any other key is a producer's own. A row of a
//  history has the type of its event, too.
static bool
s_is_event (const s_writer_t *self, const s_pair_t *pairs, uint32_t count)
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
    for (int field = 0; field < STELE_FIELD_COUNT; field++)
        if (s_key_is (pair, stele_field_name (field)))
            return (stele_field_t) field;
    return STELE_FIELD_NONE;
}

static int
s_write_with_times (s_writer_t *self, const s_pair_t *pair, bool is_event, int depth)
{
    stele_field_t field = s_field (pair);
    stele_scan_t scan = s_scan_value (self, pair);
    if (field == STELE_FIELD_NONE)
        return s_write_value (self, &scan, depth, !is_event);

    stele_scan_t probe = scan;
    stele_token_t token = stele_scan_next (&probe);
    bool is_time = stele_field_kind (field) == STELE_KIND_TIME
        && (!is_event || field == STELE_TIME) && token.kind == STELE_SCAN_INTEGER;
    int64_t time_us;
    if (is_time
    &&  stele_time_unpack (scan.next, (size_t) (probe.next - scan.next), &time_us) == 0) {
        char text [32];
        stele_time_print (time_us, text, sizeof text);
        s_write_string (self, text, strlen (text));
        return 0;
    }
    //  Whatever else an event has is its producer's own, be it of the form of an event
    return s_write_value (self, &scan, depth, !is_event && stele_field_kind (field) != STELE_KIND_MAP);
}

static int
s_write_key (s_writer_t *self, const s_pair_t *pair, int depth)
{
    if (!pair->is_text && pair->text_size) {
        s_put (self, (const char *) pair->key, pair->text_size);
        return 0;
    }
    stele_scan_t scan = { .next = pair->key, .end = pair->value };
    return s_write_value (self, &scan, depth, false);
}

static int
s_write_pairs (s_writer_t *self, s_pair_t *pairs, uint32_t count, int depth, bool times)
{
    int rc = self->canonical? s_sort (self, pairs, count, depth): 0;
    bool plain = s_plain (pairs, count);
    bool is_event = times && plain && s_is_event (self, pairs, count);
    s_puts (self, plain? "{": "{\"$map\":[");
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        s_puts (self, plain? i? ",": "": i? ",[": "[");
        stele_scan_t value = s_scan_value (self, &pairs [i]);
        rc = s_write_key (self, &pairs [i], depth);
        if (rc)
            break;
        s_put (self, plain? ":": ",", 1);
        rc = times && plain? s_write_with_times (self, &pairs [i], is_event, depth):
            s_write_value (self, &value, depth, false);
        if (!plain)
            s_put (self, "]", 1);
    }
    s_puts (self, plain? "}": "]}");
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

static int
s_write_map (s_writer_t *self, stele_scan_t *scan, uint32_t count, int depth, bool times)
{
    //  Too many for any text within the limit: no memory for them
    if (count > self->max / PAIR_SIZE_MIN + 1) {
        for (uint32_t i = 0; i < count; i++)
            s_read_pair (scan);
        s_room (self, (size_t) count * PAIR_SIZE_MIN);
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
    if (pairs != few)
        free (pairs);
    return rc;
}

static int
s_write_value (s_writer_t *self, stele_scan_t *scan, int depth, bool times)
{
    stele_token_t token = stele_scan_next (scan);
    switch (token.kind) {
        case STELE_SCAN_BOOL:
            s_puts (self, token.integer? "true": "false");
            return 0;
        case STELE_SCAN_INTEGER:
        case STELE_SCAN_UNSIGNED:
            s_write_number (self, &token);
            return 0;
        case STELE_SCAN_REAL:
            s_write_real (self, token.real);
            return 0;
        case STELE_SCAN_TEXT:
            return s_write_text (self, &token);
        case STELE_SCAN_BYTES:
            s_puts (self, "{\"$bin\":");
            s_write_base64 (self, &token);
            s_put (self, "}", 1);
            return 0;
        case STELE_SCAN_EXT:
            s_write_ext (self, &token);
            return 0;
        case STELE_SCAN_ARRAY:
        case STELE_SCAN_MAP:
            if (depth == self->nesting)
                return stele_refuse (self->refusal, STELE_EMALFORMED, NULL,
                    "nested deeper than %d levels", self->nesting);
            return token.kind == STELE_SCAN_MAP?
                s_write_map (self, scan, token.count, depth + 1, times):
                s_write_array (self, scan, token.count, depth + 1, times);
        default:
            s_puts (self, "null");
            return 0;
    }
}

int
stele_json_text_within (const void *data, size_t size, size_t size_max, stele_record_t *arena,
    const char **text, size_t *text_size, stele_refusal_t *refusal)
{
    stele_scan_t scan = stele_scan_start (data, size);
    s_writer_t writer = {
        .max = size_max, .arena = arena, .nesting = TEXT_NESTING, .canonical = true,
        .end = scan.end, .refusal = refusal
    };
    //  Most texts are a little longer than their msgpack
    size_t room = size + size / 4 + 32;
    s_grow (&writer, room < size_max? room: size_max);
    int rc = s_write_value (&writer, &scan, 0, false);
    if (writer.failed)
        return STELE_ENO_MEMORY;
    if (rc)
        return rc;
    *text_size = writer.size;
    if (writer.size > size_max)
        return stele_refuse (refusal, STELE_ETOO_LARGE, NULL,
            "%zu bytes as JSON, the limit is %zu", writer.size, size_max);
    *text = writer.text;
    return 0;
}

int
stele_json_text (const void *data, size_t size, stele_record_t *arena,
    const char **text, size_t *text_size, stele_refusal_t *refusal)
{
    return stele_json_text_within (data, size, STELE_JSON_SIZE_MAX, arena, text, text_size, refusal);
}

//  -- fields of a record ------------------------------------------------------------------

static int
s_by_name (const void *one, const void *other)
{
    return strcmp (stele_field_name (*(const stele_field_t *) one), stele_field_name (*(const stele_field_t *) other));
}

//  Text that is JSON already is not taken apart
static int
s_write_field (s_writer_t *self, const stele_value_t *value, stele_pack_t *pack)
{
    if (value->kind == STELE_VALUE_JSON) {
        s_put (self, value->text, value->size);
        return 0;
    }
    if (value->kind == STELE_VALUE_TEXT) {
        s_write_string (self, value->size? value->text: "", value->size);
        return 0;
    }
    stele_pack_clear (pack);
    stele_value_pack (value, pack);
    if (stele_pack_failed (pack))
        return STELE_ENO_MEMORY;
    stele_scan_t scan = stele_scan_start (stele_pack_data (pack), stele_pack_size (pack));
    self->end = scan.end;
    return s_write_value (self, &scan, 1, false);
}

int
stele_json_fields (const stele_record_t *record, stele_field_set_t set, stele_pack_t *pack,
    stele_record_t *arena, const char **text, size_t *text_size)
{
    stele_field_t fields [STELE_EVENT_FIELD_COUNT];
    size_t count = 0, room = 32;
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++)
        if (set & STELE_FIELD_BIT (field)) {
            const stele_value_t *value = &record->values [field];
            fields [count++] = (stele_field_t) field;
            room += 48 + (value->kind == STELE_VALUE_TEXT || value->kind == STELE_VALUE_JSON? value->size: 0);
        }
    qsort (fields, count, sizeof *fields, s_by_name);

    stele_refusal_t refusal;
    s_writer_t writer = {
        .max = STELE_JSON_SIZE_MAX, .arena = arena, .nesting = TEXT_NESTING, .canonical = true, .refusal = &refusal
    };
    int rc = 0;
    s_grow (&writer, room);
    s_put (&writer, "{", 1);
    for (size_t i = 0; i < count && rc == 0; i++) {
        const char *name = stele_field_name (fields [i]);
        s_puts (&writer, i? ",\"": "\"");
        s_puts (&writer, name);
        s_puts (&writer, "\":");
        rc = s_write_field (&writer, &record->values [fields [i]], pack);
    }
    s_put (&writer, "}", 1);
    if (writer.failed)
        return STELE_ENO_MEMORY;
    *text = writer.text;
    *text_size = writer.size;
    return rc? rc: writer.size > STELE_JSON_SIZE_MAX? STELE_ETOO_LARGE: 0;
}

char *
stele_json_print (const void *packed, size_t size, bool times)
{
    if (stele_scan_check (packed, size, size, NULL) != 0)
        return NULL;
    stele_scan_t scan = stele_scan_start (packed, size);
    s_writer_t writer = { .max = SIZE_MAX / 2, .nesting = PRINT_NESTING, .end = scan.end };
    int rc = s_write_value (&writer, &scan, 0, times);
    s_put (&writer, "", 1);
    if (rc || writer.failed) {
        free (writer.text);
        return NULL;
    }
    return writer.text;
}
