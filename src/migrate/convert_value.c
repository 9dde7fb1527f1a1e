/*  convert_value - JSON values and texts of an earlier system, in the form of the protocol

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "migrate/convert.h"
#include "wire/base64.h"
#include "wire/scan.h"
#include "wire/time.h"

json_t *
convert_bytes (const void *text, size_t size)
{
    char *base64 = stele_memory_new (STELE_BASE64_SIZE (size) + 1);
    stele_base64_encode (text, size, base64);
    json_t *bytes = json_pack ("{ss}", "$bin", base64);
    free (base64);
    return bytes;
}

json_t *
convert_text (const char *text, size_t size)
{
    return stele_utf8_valid (text, size)? json_stringn_nocheck (text, size): convert_bytes (text, size);
}

//  -- ids as C strings -----------------------------------------------------------------

//  NUL as two bytes that valid UTF-8 does not contain
#define NUL_CODE "\xC0\x80"

static char *
s_encode (const char *text, size_t size)
{
    char *encoded = stele_memory_new (size * 2 + 1);
    size_t length = 0;
    for (size_t i = 0; i < size; i++)
        if (text [i])
            encoded [length++] = text [i];
        else {
            memcpy (encoded + length, NUL_CODE, 2);
            length += 2;
        }
    return encoded;
}

char *
convert_decode (const char *text, size_t *size)
{
    char *decoded = stele_memory_copy (text, strlen (text));
    *size = 0;
    for (const char *at = text; *at; at++) {
        bool is_nul = strncmp (at, NUL_CODE, 2) == 0;
        decoded [(*size)++] = is_nul? 0: *at;
        at += is_nul;
    }
    return decoded;
}

json_t *
convert_string (const char *text)
{
    size_t size;
    char *decoded = convert_decode (text, &size);
    json_t *string = json_stringn_nocheck (decoded, size);
    free (decoded);
    return string;
}

char *
convert_text_of (const json_t *value)
{
    if (json_is_string (value))
        return s_encode (json_string_value (value), json_string_length (value));
    if (json_is_integer (value) || json_is_real (value))
        return json_dumps (value, JSON_ENCODE_ANY | JSON_COMPACT);
    return NULL;
}

char *
convert_raw (const json_t *value, size_t *size)
{
    const json_t *bin = json_is_object (value) && json_object_size (value) == 1? json_object_get (value, "$bin"): NULL;
    if (bin && json_is_string (bin)) {
        size_t length = json_string_length (bin);
        char *bytes = stele_memory_new (length + 1);
        long decoded = stele_base64_decode (json_string_value (bin), length, bytes);
        *size = decoded > 0? (size_t) decoded: 0;
        return bytes;
    }
    if (json_is_string (value)) {
        *size = json_string_length (value);
        return stele_memory_copy (json_string_value (value), *size);
    }
    char *text = convert_text_of (value);
    *size = text? strlen (text): 0;
    return text;
}

//  -- text that is not UTF-8 -----------------------------------------------------------

json_t *
convert_repair (const char *text, size_t size)
{
    char *repaired = stele_memory_new (size * 3 + 1);
    size_t length = 0;
    for (size_t i = 0; i < size; ) {
        size_t take = 1;
        while (take < 4 && i + take < size && ((unsigned char) text [i + take] & 0xC0) == 0x80)
            take++;
        //  The longest valid character here; half a surrogate pair is one wrong character
        bool is_surrogate = take == 3 && (unsigned char) text [i] == 0xED;
        size_t valid = take;
        while (valid && !stele_utf8_valid (text + i, valid))
            valid--;
        if (valid)
            memcpy (repaired + length, text + i, valid);
        else
            memcpy (repaired + length, "\xEF\xBF\xBD", 3);
        length += valid? valid: 3;
        i += valid? valid: is_surrogate? take: 1;
    }
    json_t *string = json_stringn_nocheck (repaired, length);
    free (repaired);
    return string;
}

//  -- JSON as Python writes it ---------------------------------------------------------

//  Length of the bare word or number that begins here and that JSON or its reader does not take; 0: none
static size_t
s_bare_word (const char *text, size_t size)
{
    static const char *const words [] = { "NaN", "Infinity", "-Infinity" };
    for (size_t i = 0; i < sizeof words / sizeof words [0]; i++) {
        size_t length = strlen (words [i]);
        if (size >= length && memcmp (text, words [i], length) == 0)
            return length;
    }
    char number [512];
    size_t length = 0;
    while (length < size && length + 1 < sizeof number && text [length] && strchr ("+-.0123456789eE", text [length])) {
        number [length] = text [length];
        length++;
    }
    number [length] = 0;
    if (length < 3 || !strpbrk (number, "0123456789"))
        return 0;
    errno = 0;
    bool real = strpbrk (number, ".eE") != NULL;
    bool fits = real? isfinite (strtod (number, NULL)): (strtoll (number, NULL, 10), errno == 0);
    return fits? 0: length;
}

//  The value of the four digits of an escape \uXXXX at the text; -1: none
static long
s_escape (const char *text, size_t size)
{
    char digits [5] = "";
    if (size < 6 || text [0] != '\\' || text [1] != 'u')
        return -1;
    memcpy (digits, text + 2, 4);
    return strspn (digits, "0123456789abcdefABCDEF") == 4? strtol (digits, NULL, 16): -1;
}

//  Copy what is inside of a string: half a surrogate pair becomes U+FFFD. Returns the bytes taken
static size_t
s_copy_inside (const char *text, size_t size, char *copy, size_t *length, size_t *repaired)
{
    size_t take = text [0] == '\\' && size > 1? 2: 1;
    long code = s_escape (text, size);
    if (code >= 0)
        take = 6;
    long next = code >= 0xD800 && code <= 0xDBFF? s_escape (text + 6, size - 6): -1;
    bool pair = next >= 0xDC00 && next <= 0xDFFF;
    if (pair)
        take = 12;
    if (code >= 0xD800 && code <= 0xDFFF && !pair) {
        memcpy (copy + *length, "\\ufffd", 6);
        (*repaired)++;
    }
    else
        memcpy (copy + *length, text, take);
    *length += take;
    return take;
}

static json_t *
s_parse_again (const char *text, size_t size, size_t flags, convert_repairs_t *repairs)
{
    //  Two quotes around a word of at least three letters
    char *copy = stele_memory_new (size * 2 + 1);
    size_t length = 0;
    bool inside = false;
    for (size_t i = 0; i < size; ) {
        size_t word = inside? 0: s_bare_word (text + i, size - i);
        if (word) {
            copy [length++] = '"';
            memcpy (copy + length, text + i, word);
            length += word;
            copy [length++] = '"';
            repairs->words++;
            i += word;
        }
        else
        if (inside && text [i] != '"')
            i += s_copy_inside (text + i, size - i, copy, &length, &repairs->characters);
        else {
            if (text [i] == '"')
                inside = !inside;
            copy [length++] = text [i++];
        }
    }
    json_t *value = json_loadb (copy, length, flags, NULL);
    free (copy);
    return value;
}

json_t *
convert_parse (const char *text, size_t size, size_t flags, convert_repairs_t *repairs)
{
    *repairs = (convert_repairs_t) { 0 };
    json_t *value = json_loadb (text, size, flags, NULL);
    if (value)
        return value;
    if (stele_utf8_valid (text, size))
        return s_parse_again (text, size, flags, repairs);
    json_t *valid = convert_repair (text, size);
    repairs->characters = 1;
    value = s_parse_again (json_string_value (valid), json_string_length (valid), flags, repairs);
    json_decref (valid);
    return value;
}

json_t *
convert_time (int64_t time_us)
{
    char text [64];
    stele_time_print (time_us, text, sizeof text);
    return json_string (text);
}

size_t
convert_depth (const json_t *value)
{
    size_t deepest = 0;
    const char *key;
    json_t *member;
    size_t i;
    if (!json_is_object (value) && !json_is_array (value))
        return 0;
    if (json_is_object (value))
        json_object_foreach ((json_t *) value, key, member) {
            size_t depth = convert_depth (member);
            deepest = depth > deepest? depth: deepest;
        }
    else
        json_array_foreach (value, i, member) {
            size_t depth = convert_depth (member);
            deepest = depth > deepest? depth: deepest;
        }
    return deepest + 1;
}

json_t *
convert_escape (json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_array (value)) {
        json_t *array = json_array ();
        json_array_foreach (value, i, member)
            json_array_append_new (array, convert_escape (json_incref (member)));
        json_decref (value);
        return array;
    }
    if (!json_is_object (value))
        return value;
    json_t *object = json_object ();
    json_object_foreach (value, key, member)
        json_object_set_new_nocheck (object, key, convert_escape (json_incref (member)));
    if (json_object_size (object) == 1) {
        key = json_object_iter_key (json_object_iter (object));
        if (key [0] == '$') {
            json_t *pair = json_pack ("[sO]", key, json_object_get (object, key));
            json_decref (object);
            object = json_pack ("{s[o]}", "$map", pair);
        }
    }
    json_decref (value);
    return object;
}

json_t *
convert_event (const char *type, int64_t time_us, const char *id_field, const char *id)
{
    json_t *event = json_object ();
    json_object_set_new (event, "type", json_string (type));
    if (time_us)
        json_object_set_new (event, "time", convert_time (time_us));
    if (id_field)
        json_object_set_new (event, id_field, convert_string (id));
    return event;
}
