/*  json_read - JSON text to msgpack

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "base/character.h"
#include "wire/base64.h"
#include "wire/json/json.h"
#include "wire/quote.h"

#define NESTING_MAX (STELE_LIMIT_NESTING * 2)       // A request adds levels around its events

static int
    s_pack (const json_t *value, stele_pack_t *pack, int depth, stele_refusal_t *refusal);

static int
s_not_of_form (stele_refusal_t *refusal, const char *form)
{
    return stele_refuse (refusal, STELE_EMALFORMED, NULL,
        "the value of a reserved JSON key does not have the form %s", form);
}

//  Decode a base64 string; caller frees the bytes. NULL: not base64, or out of memory, and the
//  pack has failed.
static void *
s_decode (const json_t *value, size_t *size, stele_pack_t *pack)
{
    if (!json_is_string (value))
        return NULL;
    size_t text_size = json_string_length (value);
    void *bytes = malloc (text_size + 1);
    if (!bytes) {
        stele_pack_fail (pack);
        return NULL;
    }
    ptrdiff_t decoded = stele_base64_decode (json_string_value (value), text_size, bytes);
    if (decoded < 0) {
        free (bytes);
        return NULL;
    }
    *size = (size_t) decoded;
    return bytes;
}

static int
s_pack_bin (const json_t *value, stele_pack_t *pack, stele_refusal_t *refusal)
{
    size_t size;
    void *bytes = s_decode (value, &size, pack);
    if (!bytes)
        return s_not_of_form (refusal, "{\"$bin\":\"base64\"}");
    stele_pack_bytes (pack, bytes, size);
    free (bytes);
    return 0;
}

static int
s_pack_ext (const json_t *value, stele_pack_t *pack, stele_refusal_t *refusal)
{
    static const char form [] = "{\"$ext\":[type,\"base64\"]}";
    const json_t *type = json_array_get (value, 0);
    if (json_array_size (value) != 2 || !json_is_integer (type)
    ||  json_integer_value (type) < INT8_MIN || json_integer_value (type) > INT8_MAX)
        return s_not_of_form (refusal, form);
    size_t size;
    void *bytes = s_decode (json_array_get (value, 1), &size, pack);
    if (!bytes)
        return s_not_of_form (refusal, form);
    stele_pack_ext (pack, (int8_t) json_integer_value (type), bytes, size);
    free (bytes);
    return 0;
}

static int
s_pack_uint (const json_t *value, stele_pack_t *pack, stele_refusal_t *refusal)
{
    const char *text = json_is_string (value)? json_string_value (value): "";
    size_t digits = strspn (text, "0123456789");
    errno = 0;
    unsigned long long number = strtoull (text, NULL, 10);
    if (digits == 0 || digits != json_string_length (value) || errno || number > UINT64_MAX)
        return s_not_of_form (refusal, "{\"$uint\":\"digits\"}, at most 2^64-1");
    stele_pack_natural (pack, number);
    return 0;
}

static int
s_pack_float (const json_t *value, stele_pack_t *pack, stele_refusal_t *refusal)
{
    const char *text = json_is_string (value)? json_string_value (value): "";
    if (strcmp (text, "NaN") == 0)
        stele_pack_real (pack, NAN);
    else
    if (strcmp (text, "Infinity") == 0)
        stele_pack_real (pack, INFINITY);
    else
    if (strcmp (text, "-Infinity") == 0)
        stele_pack_real (pack, -INFINITY);
    else
        return s_not_of_form (refusal, "{\"$float\":\"NaN\"}, \"Infinity\" or \"-Infinity\"");
    return 0;
}

static int
s_pack_pair (const json_t *pair, stele_pack_t *pack, int depth, stele_refusal_t *refusal)
{
    if (json_array_size (pair) != 2)
        return s_not_of_form (refusal, "{\"$map\":[[key,value],...]}");
    int rc = s_pack (json_array_get (pair, 0), pack, depth, refusal);
    return rc? rc: s_pack (json_array_get (pair, 1), pack, depth, refusal);
}

static int
s_pack_map (const json_t *value, stele_pack_t *pack, int depth, stele_refusal_t *refusal)
{
    if (!json_is_array (value))
        return s_not_of_form (refusal, "{\"$map\":[[key,value],...]}");
    stele_pack_map (pack, json_array_size (value));
    size_t i;
    const json_t *pair;
    json_array_foreach (value, i, pair) {
        int rc = s_pack_pair (pair, pack, depth, refusal);
        if (rc)
            return rc;
    }
    return 0;
}

//  The key of an object in one of the reserved forms, else NULL. Other keys with "$" are
//  ordinary: people write {"$ref":...} by hand.
static const char *
s_reserved (const json_t *object)
{
    static const char *const keys [] = { "$bin", "$ext", "$float", "$map", "$uint" };
    if (json_object_size (object) != 1)
        return NULL;
    for (size_t i = 0; i < sizeof keys / sizeof keys [0]; i++)
        if (json_object_get (object, keys [i]))
            return keys [i];
    return NULL;
}

static int
s_pack_object (const json_t *object, stele_pack_t *pack, int depth, stele_refusal_t *refusal)
{
    const char *key = s_reserved (object);
    if (!key) {
        json_t *member;
        stele_pack_map (pack, json_object_size (object));
        json_object_foreach ((json_t *) object, key, member) {
            stele_pack_string (pack, key);      // The parser refuses NUL in a key
            int rc = s_pack (member, pack, depth, refusal);
            if (rc)
                return rc;
        }
        return 0;
    }
    const json_t *value = json_object_get (object, key);
    switch (key [1]) {
        case 'b':
            return s_pack_bin (value, pack, refusal);
        case 'e':
            return s_pack_ext (value, pack, refusal);
        case 'f':
            return s_pack_float (value, pack, refusal);
        case 'm':
            return s_pack_map (value, pack, depth, refusal);
        default:
            return s_pack_uint (value, pack, refusal);
    }
}

static int
s_pack_array (const json_t *array, stele_pack_t *pack, int depth, stele_refusal_t *refusal)
{
    stele_pack_array (pack, json_array_size (array));
    size_t i;
    const json_t *item;
    json_array_foreach (array, i, item) {
        int rc = s_pack (item, pack, depth, refusal);
        if (rc)
            return rc;
    }
    return 0;
}

static int
s_pack (const json_t *value, stele_pack_t *pack, int depth, stele_refusal_t *refusal)
{
    switch (json_typeof (value)) {
        case JSON_NULL:
            stele_pack_nil (pack);
            return 0;
        case JSON_TRUE:
        case JSON_FALSE:
            stele_pack_bool (pack, json_is_true (value));
            return 0;
        case JSON_INTEGER:
            stele_pack_integer (pack, json_integer_value (value));
            return 0;
        case JSON_REAL:
            stele_pack_real (pack, json_real_value (value));
            return 0;
        case JSON_STRING:
            stele_pack_text (pack, json_string_value (value), json_string_length (value));
            return 0;
        default:
            break;
    }
    if (depth == NESTING_MAX)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL,
            "JSON is nested deeper than %d levels", NESTING_MAX);
    return json_is_object (value)? s_pack_object (value, pack, depth + 1, refusal):
        s_pack_array (value, pack, depth + 1, refusal);
}

//  The parser reports out of memory wrongly or not at all: check errno
static json_t *
s_load (const char *text, size_t size, size_t flags, json_error_t *error, stele_pack_t *pack)
{
    errno = 0;
    json_t *value = json_loadb (text, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | flags, error);
    if (!value && (errno == ENOMEM || !*error->text))
        stele_pack_fail (pack);
    return value;
}

//  -- errors of a text ------------------------------------------------------------

static int
s_refuse_at (stele_refusal_t *refusal, const char *text, size_t offset, const char *what, const char *way_out)
{
    size_t line = 1, start = 0;
    for (size_t i = 0; i < offset; i++)
        if (text [i] == '\n') {
            line++;
            start = i + 1;
        }
    //  Callers that read one event per line add the number of the line
    if (line == 1)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL, "not JSON: %s at byte %zu%s", what, offset + 1, way_out);
    return stele_refuse (refusal, STELE_EMALFORMED, NULL, "not JSON: %s at line %zu, column %zu%s", what, line,
        offset - start + 1, way_out);
}

//  The code of "\uXXXX" at the offset, -1: none
static int
s_escape (const char *text, size_t size, size_t offset)
{
    int code = 0;
    if (size - offset < 6 || text [offset] != '\\' || text [offset + 1] != 'u')
        return -1;
    for (size_t i = offset + 2; i < offset + 6; i++) {
        char digit = text [i];
        if (!isxdigit ((unsigned char) digit))
            return -1;
        code = code * 16 + (digit <= '9'? digit - '0': (digit | 0x20) - 'a' + 10);
    }
    return code;
}

//  Skip a string whose quote is at the offset. Sets *unpaired to the offset of half a surrogate pair in it
static size_t
s_skip_string (const char *text, size_t size, size_t offset, size_t *unpaired)
{
    for (offset++; offset < size && text [offset] != '"'; ) {
        int code = s_escape (text, size, offset);
        if (code < 0xd800 || code >= 0xe000)
            offset += text [offset] == '\\'? 2: 1;
        else {
            int second = code < 0xdc00? s_escape (text, size, offset + 6): -1;
            if (second < 0xdc00 || second >= 0xe000) {
                *unpaired = offset;
                return size;
            }
            offset += 12;
        }
    }
    return offset < size? offset + 1: size;
}

//  Two common causes that the parser does not name: half a surrogate pair, and a number that JSON
//  lacks. The parser stopped at 'stop', after a bad string or within a bad word. False: neither.
static bool
s_refuse_by_name (const char *text, size_t size, size_t stop, stele_refusal_t *refusal)
{
    static const char *const numbers [] = { "NaN", "Infinity", "-Infinity" };
    for (size_t i = 0; i < size && i <= stop; ) {
        size_t unpaired = size;
        if (text [i] == '"') {
            i = s_skip_string (text, size, i, &unpaired);
            if (unpaired == size || unpaired > stop)
                continue;
            char what [40];
            snprintf (what, sizeof what, "unpaired surrogate %.6s", text + unpaired);
            s_refuse_at (refusal, text, unpaired, what, ", which is half of a character");
            return true;
        }
        for (size_t j = 0; j < 3; j++)
            if (size - i >= strlen (numbers [j]) && (i == 0 || !isalnum ((unsigned char) text [i - 1]))
            &&  memcmp (text + i, numbers [j], strlen (numbers [j])) == 0) {
                char way_out [48];
                snprintf (way_out, sizeof way_out, ": write it as {\"$float\":\"%s\"}", numbers [j]);
                s_refuse_at (refusal, text, i, numbers [j], way_out);
                return true;
            }
        i++;
    }
    return false;
}

//  The parser's place of a byte that is not UTF-8 is that of the word before
static bool
s_refuse_byte (const char *text, size_t size, stele_refusal_t *refusal)
{
    size_t i = 0, length;
    uint32_t code;
    while (i < size && (length = stele_character_decode (text + i, size - i, &code)) > 0)
        i += length;
    if (i == size)
        return false;
    char what [32];
    snprintf (what, sizeof what, "0x%02x is not UTF-8", (unsigned char) text [i]);
    s_refuse_at (refusal, text, i, what, ": write bytes as {\"$bin\":\"base64\"}");
    return true;
}

static int
s_parse_refused (const char *text, size_t text_size, const json_error_t *error, stele_refusal_t *refusal)
{
    if (strncmp (error->text, "unable to decode", 16) == 0 && s_refuse_byte (text, text_size, refusal))
        return STELE_EMALFORMED;
    if (s_refuse_by_name (text, text_size, error->position < 0? 0: (size_t) error->position, refusal))
        return STELE_EMALFORMED;
    if (strstr (error->text, "too big"))
        return stele_refuse (refusal, STELE_EMALFORMED, NULL,
            "JSON has an integer outside -2^63 to 2^63-1 at byte %d: write one up to 2^64-1 as "
            "{\"$uint\":\"18446744073709551615\"}", error->position);
    //  The parser's text quotes the input: show it without that, sanitized
    const char *near = strstr (error->text, " near ");
    size_t size = near? (size_t) (near - error->text): strcspn (error->text, "'");
    char shown [STELE_QUOTE_SIZE];
    stele_quote (shown, error->text, size);
    //  Callers that read one event per line add the number of the line
    if (error->line == 1)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL, "not JSON: %s at byte %d", shown, error->position);
    return stele_refuse (refusal, STELE_EMALFORMED, NULL, "not JSON: %s at line %d, column %d",
        shown, error->line, error->column);
}

int
stele_json_parse_pack (const char *text, size_t size, stele_pack_t *pack, stele_refusal_t *refusal)
{
    json_error_t error;
    json_t *value = s_load (text, size, JSON_DECODE_ANY, &error, pack);
    if (!value && stele_pack_failed (pack))
        return STELE_ENO_MEMORY;
    if (!value)
        return s_parse_refused (text, size, &error, refusal);
    size_t start = stele_pack_size (pack);
    int rc = s_pack (value, pack, 0, refusal);
    if (stele_pack_failed (pack))
        rc = STELE_ENO_MEMORY;
    if (rc)
        stele_pack_rewind (pack, start);
    json_decref (value);
    return rc;
}

int
stele_json_text_pack (const char *text, size_t size, stele_pack_t *pack)
{
    int rc = stele_json_parse_pack (text, size, pack, NULL);
    return rc == STELE_ENO_MEMORY? rc: rc? STELE_ELEDGER: 0;
}

static bool
s_has (const stele_record_t *record, const char *key)
{
    if (!record)
        return false;
    for (int field = 0; field < STELE_FIELD_COUNT; field++)
        if (stele_record_has (record, field) && strcmp (stele_field_name (field), key) == 0)
            return true;
    return false;
}

static int
s_pack_entries (const json_t *object, const stele_record_t *but, stele_pack_t *pack, size_t *count)
{
    const char *key = s_reserved (object);
    if (key && key [1] == 'm') {
        size_t i;
        const json_t *pair;
        json_array_foreach (json_object_get (object, key), i, pair) {
            const json_t *name = json_array_get (pair, 0);
            if (json_is_string (name) && s_has (but, json_string_value (name))
            &&  strlen (json_string_value (name)) == json_string_length (name))
                continue;
            if (s_pack_pair (pair, pack, 1, NULL))
                return STELE_ELEDGER;
            (*count)++;
        }
        return 0;
    }
    json_t *member;
    json_object_foreach ((json_t *) object, key, member) {
        if (s_has (but, key))
            continue;
        stele_pack_string (pack, key);
        if (s_pack (member, pack, 1, NULL))
            return STELE_ELEDGER;
        (*count)++;
    }
    return 0;
}

int
stele_json_text_pack_entries (const char *text, size_t size, const stele_record_t *but,
    stele_pack_t *pack, size_t *count)
{
    json_error_t error;
    json_t *object = s_load (text, size, 0, &error, pack);
    if (!object && stele_pack_failed (pack))
        return STELE_ENO_MEMORY;
    size_t start = stele_pack_size (pack);
    size_t packed = 0;
    int rc = json_is_object (object)? s_pack_entries (object, but, pack, &packed): STELE_ELEDGER;
    if (rc)
        stele_pack_rewind (pack, start);
    else
        *count = packed;
    json_decref (object);
    return rc;
}

const char *
stele_jansson_version (void)
{
    return jansson_version_str ();
}
