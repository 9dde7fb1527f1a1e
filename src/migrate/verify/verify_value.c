/*  verify_value - compare a value of the source with that of the ledger

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "migrate/verify/verify_value.h"

static bool
s_same_bytes (const json_t *source, const json_t *ledger)
{
    size_t size, other_size;
    char *raw = convert_raw (source, &size), *other = convert_raw (ledger, &other_size);
    bool same = raw && other && size == other_size && memcmp (raw, other, size) == 0;
    free (raw);
    free (other);
    return same;
}

//  Text with U+FFFD in place of what is not UTF-8
static bool
s_same_repaired (const json_t *source, const json_t *ledger)
{
    size_t size;
    char *raw = json_is_string (ledger)? convert_raw (source, &size): NULL;
    json_t *repaired = raw? convert_repair (raw, size): NULL;
    bool same = repaired && json_equal (repaired, ledger);
    json_decref (repaired);
    free (raw);
    return same;
}

//  JSON in a text against a map, in which another value is wrapped
static bool
s_same_map (const json_t *source, const json_t *ledger)
{
    convert_repairs_t repairs;
    const char *text = json_string_value (source);
    json_t *parsed = text? convert_parse (text, json_string_length (source), JSON_DECODE_ANY | JSON_ALLOW_NUL, &repairs): NULL;
    if (json_is_array (parsed) || (parsed && !json_is_object (parsed) && !json_is_null (parsed)))
        parsed = json_pack ("{so}", json_is_array (parsed)? "items": "value", parsed);
    parsed = parsed? convert_escape (parsed): NULL;
    bool same = parsed && (json_equal (parsed, ledger) || (!ledger && (json_is_null (parsed) || json_object_size (parsed) == 0)));
    json_decref (parsed);
    return same;
}

static bool
s_same_number (const json_t *source, const json_t *ledger)
{
    if (json_is_number (source) && json_is_number (ledger))
        return json_is_integer (source) && json_is_integer (ledger)?
            json_integer_value (source) == json_integer_value (ledger):
            json_number_value (source) == json_number_value (ledger);
    char *end;
    const char *text = json_string_value (source);
    return text && *text && json_is_number (ledger) && strtod (text, &end) == json_number_value (ledger) && !*end;
}

static bool
s_same_float (const json_t *source, const json_t *ledger)
{
    json_t *number = json_is_object (ledger)? convert_float (source): NULL;
    bool same = number && json_equal (number, ledger);
    json_decref (number);
    return same;
}

static bool
s_same_bool (const json_t *source, const json_t *ledger)
{
    char *text = convert_text_of (source);
    int truth = json_is_boolean (source)? json_is_true (source): -1;
    static const char *const words [] = { "0", "1", "false", "true", "no", "yes", "f", "t" };
    for (int i = 0; text && i < 8; i++)
        if (strcasecmp (text, words [i]) == 0)
            truth = i % 2;
    free (text);
    return truth == (ledger? json_is_true (ledger): 0);
}

bool
verify_same (const json_t *source, const json_t *ledger)
{
    if (!source || json_is_null (source))
        return !ledger || json_is_null (ledger);
    if (json_is_boolean (ledger))
        return s_same_bool (source, ledger);
    if (json_is_object (ledger) && !json_object_get (ledger, "$bin") && !json_object_get (ledger, "$float"))
        return json_equal (source, ledger) || s_same_map (source, ledger);
    return json_equal (source, ledger) || s_same_bytes (source, ledger) || s_same_number (source, ledger)
        || s_same_repaired (source, ledger) || s_same_float (source, ledger)
        || (!ledger && s_same_map (source, ledger));
}

//  Is the value in the ledger the beginning of that in the source?
static bool
s_is_cut (const json_t *source, const json_t *ledger)
{
    size_t size, part_size;
    char *raw = convert_raw (source, &size), *part = convert_raw (ledger, &part_size);
    bool cut = raw && part && part_size > 0 && part_size < size && memcmp (raw, part, part_size) == 0;
    free (raw);
    free (part);
    return cut;
}

bool
verify_kept (const json_t *kept, const json_t *outputs, const char *table, const char *column,
    const json_t *source, const json_t *ledger)
{
    char name [160];
    snprintf (name, sizeof name, "%s", column);
    for (int i = 0; i < 3; i++) {
        const json_t *value = json_object_get (kept, name);
        if (value && (verify_same (source, value) || json_equal (source, value)))
            return true;
        //  A map is kept escaped
        if (value && json_is_string (value) && json_is_object (source))
            return true;
        strcat (name, "_");
    }
    size_t i;
    const json_t *output;
    snprintf (name, sizeof name, "%s.%s", table, column);
    json_array_foreach (outputs, i, output) {
        const char *rest = json_string_value (json_object_get (json_object_get (output, "migrated"), "rest_of"));
        if (!rest || strcmp (rest, name) != 0)
            continue;
        if (!ledger || s_is_cut (source, ledger) || verify_same (source, json_object_get (output, "content")))
            return true;
    }
    return false;
}

bool
verify_same_word (const json_t *source, const json_t *ledger)
{
    char word [64];
    const char *text = json_string_value (source), *own = json_string_value (ledger);
    if (!text || !own)
        return false;
    const char *dot = strrchr (text, '.');
    snprintf (word, sizeof word, "%s", dot? dot + 1: text);
    for (char *c = word; *c; c++)
        *c = *c == ' ' || *c == '-'? '_': (char) tolower ((unsigned char) *c);
    return strcmp (word, own) == 0;
}
