/*  json_write - msgpack to JSON text

    Written directly from the bytes, without a tree: this is on the path of
    every event that has a map. Depth is bounded by the callers' limit.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/character.h"
#include "wire/base64.h"
#include "wire/time.h"
#include "wire/json/json_writer.h"
#include "wire/quote.h"
#include "wire/scan.h"

#define TEXT_NESTING (STELE_LIMIT_NESTING + 1)      // 'extra' is one map around its values
#define PRINT_NESTING (STELE_LIMIT_NESTING * 2)     // An answer adds levels around its events

bool
stele_json_grow (stele_json_writer_t *self, size_t needed)
{
    size_t capacity = self->capacity * 2 > needed? self->capacity * 2: needed;
    char *text = self->arena? stele_record_alloc (self->arena, capacity):
        realloc (self->text, capacity);
    if (!text) {
        self->failed = true;
        self->max = 0;              // Store nothing from here on
        return false;
    }
    if (self->arena && self->size)
        memcpy (text, self->text, self->size);
    self->text = text;
    self->capacity = capacity;
    return true;
}

static void
s_escape (stele_json_writer_t *self, unsigned char byte)
{
    static const char short_forms [] = "\"\"\\\\\bb\ff\nn\rr\tt";
    char escaped [8];
    for (const char *form = short_forms; *form; form += 2)
        if (byte == (unsigned char) form [0]) {
            escaped [0] = '\\';
            escaped [1] = form [1];
            stele_json_put (self, escaped, 2);
            return;
        }
    snprintf (escaped, sizeof escaped, "\\u%04x", byte);
    stele_json_put (self, escaped, 6);
}

static void
s_escape_code (stele_json_writer_t *self, uint32_t code)
{
    char escaped [8];
    if (code > 0xffff) {            // A pair of surrogates
        s_escape_code (self, 0xd800 + ((code - 0x10000) >> 10));
        code = 0xdc00 + ((code - 0x10000) & 0x3ff);
    }
    snprintf (escaped, sizeof escaped, "\\u%04x", (unsigned) (code & 0xffff));
    stele_json_put (self, escaped, 6);
}

//  Size of the first character if it has to be escaped for people, otherwise 0
static size_t
s_unshown (const char *text, size_t size, uint32_t *code)
{
    size_t length = stele_character_decode (text, size, code);
    return length && (stele_character_is_control (*code) || stele_character_is_hidden (*code))? length: 0;
}

//  Are the next eight bytes ASCII, none of them a control character, a quote or a backslash?
static inline bool
s_is_plain (const char *text)
{
    const uint64_t ones = UINT64_C (0x0101010101010101), highs = UINT64_C (0x8080808080808080);
    uint64_t word;
    memcpy (&word, text, sizeof word);
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\', del = word ^ ones * 0x7f;
    //  A byte below n, and zero, borrows; a false positive only costs the slow way
    return ((word | (word - ones * 0x20) | (quote - ones) | (backslash - ones) | (del - ones)) & highs) == 0;
}

//  Valid UTF-8 as a JSON string
void
stele_json_write_string (stele_json_writer_t *self, const char *text, size_t size)
{
    stele_json_put (self, "\"", 1);
    size_t from = 0;
    for (size_t i = 0; i < size; i++) {
        //  Most text needs no escape: eight bytes at a time
        while (size - i >= 8 && s_is_plain (text + i))
            i += 8;
        if (i == size)
            break;
        unsigned char byte = (unsigned char) text [i];
        if (byte >= 0x7f && self->shown) {
            uint32_t code;
            size_t length = s_unshown (text + i, size - i, &code);
            if (length == 0)
                continue;
            stele_json_put (self, text + from, i - from);
            s_escape_code (self, code);
            i += length - 1;
            from = i + 1;
            continue;
        }
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        stele_json_put (self, text + from, i - from);
        s_escape (self, byte);
        from = i + 1;
    }
    if (size > from)
        stele_json_put (self, text + from, size - from);
    stele_json_put (self, "\"", 1);
}

static int
s_write_text (stele_json_writer_t *self, const stele_token_t *token)
{
    if (!stele_utf8_valid (token->data, token->size)) {
        char shown [STELE_QUOTE_SIZE];
        return stele_refuse (self->refusal, STELE_EMALFORMED, NULL,
            "text is not valid UTF-8: '%s'; send bytes as msgpack bin",
            stele_quote (shown, token->data, token->size));
    }
    stele_json_write_string (self, token->data, token->size);
    return 0;
}

static void
s_write_base64 (stele_json_writer_t *self, const stele_token_t *token)
{
    stele_json_put (self, "\"", 1);
    char *room = stele_json_room (self, STELE_BASE64_SIZE ((size_t) token->size));
    if (room)
        stele_base64_encode (token->data, token->size, room);
    stele_json_put (self, "\"", 1);
}

static void
s_write_real (stele_json_writer_t *self, double real)
{
    if (isnan (real) || isinf (real)) {
        stele_json_puts (self, isnan (real)? "{\"$float\":\"NaN\"}":
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
    //  The locale may have another decimal point
    size_t point = strspn (text, "-0123456789");
    size_t other = strcspn (text + point, "-+e0123456789");
    if (other > 0) {
        text [point] = '.';
        memmove (text + point + 1, text + point + other, strlen (text + point + other) + 1);
    }
    stele_json_puts (self, text);
    if (!strpbrk (text, ".e"))
        stele_json_puts (self, ".0");
}

static void
s_write_integer (stele_json_writer_t *self, int64_t integer)
{
    char text [24], *first = text + sizeof text;
    uint64_t rest = integer < 0? 0 - (uint64_t) integer: (uint64_t) integer;
    do
        *--first = (char) ('0' + rest % 10);
    while (rest /= 10);
    if (integer < 0)
        *--first = '-';
    stele_json_put (self, first, (size_t) (text + sizeof text - first));
}

static void
s_write_number (stele_json_writer_t *self, const stele_token_t *token)
{
    char text [48];
    if (token->kind == STELE_SCAN_INTEGER) {
        s_write_integer (self, token->integer);
        return;
    }
    snprintf (text, sizeof text, "{\"$uint\":\"%" PRIu64 "\"}", token->natural);
    stele_json_puts (self, text);
}

static void
s_write_ext (stele_json_writer_t *self, const stele_token_t *token)
{
    char head [24];
    snprintf (head, sizeof head, "{\"$ext\":[%d,", token->ext_type);
    stele_json_puts (self, head);
    s_write_base64 (self, token);
    stele_json_puts (self, "]}");
}

static int
s_write_array (stele_json_writer_t *self, stele_scan_t *scan, uint32_t count, int depth, bool times)
{
    stele_json_put (self, "[", 1);
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            stele_json_put (self, ",", 1);
        int rc = stele_json_write_value (self, scan, depth, times);
        if (rc)
            return rc;
    }
    stele_json_put (self, "]", 1);
    return 0;
}

int
stele_json_write_value (stele_json_writer_t *self, stele_scan_t *scan, int depth, bool times)
{
    stele_token_t token = stele_scan_next (scan);
    switch (token.kind) {
        case STELE_SCAN_BOOL:
            stele_json_puts (self, token.integer? "true": "false");
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
            stele_json_puts (self, "{\"$bin\":");
            s_write_base64 (self, &token);
            stele_json_put (self, "}", 1);
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
                stele_json_write_map (self, scan, token.count, depth + 1, times):
                s_write_array (self, scan, token.count, depth + 1, times);
        default:
            stele_json_puts (self, "null");
            return 0;
    }
}

int
stele_json_text_within (const void *data, size_t size, size_t size_max, stele_record_t *arena,
    const char **text, size_t *text_size, stele_refusal_t *refusal)
{
    stele_scan_t scan = stele_scan_start (data, size);
    stele_json_writer_t writer = {
        .max = size_max, .arena = arena, .nesting = TEXT_NESTING, .canonical = true,
        .end = scan.end, .refusal = refusal
    };
    //  Most JSON texts are slightly longer than their msgpack
    size_t room = size + size / 4 + 32;
    stele_json_grow (&writer, room < size_max? room: size_max);
    int rc = stele_json_write_value (&writer, &scan, 0, false);
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

int
stele_json_pack_value (stele_json_writer_t *self, const stele_value_t *value, stele_pack_t *pack, stele_scan_t *scan)
{
    stele_pack_clear (pack);
    stele_value_pack (value, pack);
    if (stele_pack_failed (pack))
        return STELE_ENO_MEMORY;
    *scan = stele_scan_start (stele_pack_data (pack), stele_pack_size (pack));
    self->end = scan->end;
    return 0;
}

//  JSON text is copied without parsing
static int
s_write_field (stele_json_writer_t *self, const stele_value_t *value, stele_pack_t *pack)
{
    if (value->kind == STELE_VALUE_JSON) {
        stele_json_put (self, value->text, value->size);
        return 0;
    }
    if (value->kind == STELE_VALUE_TEXT) {
        stele_json_write_string (self, value->size? value->text: "", value->size);
        return 0;
    }
    stele_scan_t scan;
    if (stele_json_pack_value (self, value, pack, &scan))
        return STELE_ENO_MEMORY;
    return stele_json_write_value (self, &scan, 1, false);
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
    stele_json_writer_t writer = {
        .max = STELE_JSON_SIZE_MAX, .arena = arena, .nesting = TEXT_NESTING, .canonical = true, .refusal = &refusal
    };
    int rc = 0;
    stele_json_grow (&writer, room);
    stele_json_put (&writer, "{", 1);
    for (size_t i = 0; i < count && rc == 0; i++) {
        const char *name = stele_field_name (fields [i]);
        stele_json_puts (&writer, i? ",\"": "\"");
        stele_json_puts (&writer, name);
        stele_json_puts (&writer, "\":");
        rc = s_write_field (&writer, &record->values [fields [i]], pack);
    }
    stele_json_put (&writer, "}", 1);
    if (writer.failed)
        return STELE_ENO_MEMORY;
    *text = writer.text;
    *text_size = writer.size;
    return rc? rc: writer.size > STELE_JSON_SIZE_MAX? STELE_ETOO_LARGE: 0;
}

char *
stele_json_print (const void *packed, size_t size, bool shown)
{
    if (stele_scan_check (packed, size, size, NULL) != 0)
        return NULL;
    stele_scan_t scan = stele_scan_start (packed, size);
    stele_json_writer_t writer = { .max = SIZE_MAX / 2, .nesting = PRINT_NESTING, .shown = shown, .end = scan.end };
    int rc = stele_json_write_value (&writer, &scan, 0, shown);
    stele_json_put (&writer, "", 1);
    if (rc || writer.failed) {
        free (writer.text);
        return NULL;
    }
    return writer.text;
}

char *
stele_json_line (const void *packed, size_t size, bool event, size_t *line_size)
{
    stele_refusal_t refusal;
    stele_scan_t scan = stele_scan_start (packed, size);
    stele_json_writer_t writer = {
        .max = SIZE_MAX / 2, .nesting = PRINT_NESTING, .canonical = true, .end = scan.end, .refusal = &refusal
    };
    stele_json_grow (&writer, size + size / 2 + 64);
    int rc = stele_json_write_value (&writer, &scan, 0, event);
    if (rc || writer.failed) {
        free (writer.text);
        return NULL;
    }
    *line_size = writer.size;
    return writer.text;
}
