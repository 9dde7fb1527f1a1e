/*  json_fields - read the fields of an event back from JSON that the broker wrote

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "sqlite/sql/json_fields.h"
#include "stele_error.h"
#include "wire/json/json_skip.h"

stele_json_fields_t
stele_json_fields_start (const char *text, size_t size)
{
    stele_json_fields_t self = { text, text? text + size: NULL, true };
    return self;
}

int
stele_json_fields_next (stele_json_fields_t *self, stele_json_field_t *member)
{
    const char *text = self->next;
    if (self->end - text < (self->first? 2: 1) || (self->first && *text++ != '{'))
        return STELE_ELEDGER;
    if (*text == '}')
        return text + 1 == self->end? 0: STELE_ELEDGER;
    if (!self->first && *text++ != ',')
        return STELE_ELEDGER;

    const char *key_end = stele_json_skip_string (text, self->end);
    if (!key_end || key_end == self->end || *key_end != ':')
        return STELE_ELEDGER;
    const char *value_end = stele_json_skip_value (key_end + 1, self->end);
    if (!value_end || value_end == self->end || value_end == key_end + 1)
        return STELE_ELEDGER;
    //  Names of fields need no escapes
    member->field = key_end - text > 2?
        stele_field_find (text + 1, (size_t) (key_end - text - 2)): STELE_FIELD_NONE;
    member->value = key_end + 1;
    member->size = (size_t) (value_end - member->value);
    self->next = value_end;
    self->first = false;
    return 1;
}

//  The value of the four digits of \uXXXX; -1: they are not hex digits
static int32_t
s_hex (const char *text, const char *end)
{
    if (end - text < 4)
        return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdefABCDEF";
        const char *digit = text [i]? strchr (digits, text [i]): NULL;
        if (!digit)
            return -1;
        int32_t number = (int32_t) (digit - digits);
        value = value * 16 + (number > 15? number - 6: number);
    }
    return value;
}

static char *
s_put_utf8 (char *to, int32_t c)
{
    if (c < 0x80)
        *to++ = (char) c;
    else
    if (c < 0x800) {
        *to++ = (char) (0xC0 | (c >> 6));
        *to++ = (char) (0x80 | (c & 0x3F));
    }
    else
    if (c < 0x10000) {
        *to++ = (char) (0xE0 | (c >> 12));
        *to++ = (char) (0x80 | ((c >> 6) & 0x3F));
        *to++ = (char) (0x80 | (c & 0x3F));
    }
    else {
        *to++ = (char) (0xF0 | (c >> 18));
        *to++ = (char) (0x80 | ((c >> 12) & 0x3F));
        *to++ = (char) (0x80 | ((c >> 6) & 0x3F));
        *to++ = (char) (0x80 | (c & 0x3F));
    }
    return to;
}

//  One \uXXXX, or a surrogate pair; 'text' is after the u. Returns the number of bytes it took, 0: it
//  is invalid.
static size_t
s_unescape_u (const char *text, const char *end, int32_t *c)
{
    int32_t high = s_hex (text, end);
    *c = high;
    if (high < 0xD800 || high > 0xDFFF)
        return high < 0? 0: 4;
    if (high > 0xDBFF || end - text < 10 || text [4] != '\\' || text [5] != 'u')
        return 0;
    int32_t low = s_hex (text + 6, end);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    *c = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    return 10;
}

//  Decode a JSON string without its quotes; 'room' has at least its size. Returns the size of the
//  text, -1: it is invalid.
static int64_t
s_unescape (const char *text, const char *end, char *room)
{
    static const char letters [] = "\"\\/bfnrt";
    static const char meaning [] = "\"\\/\b\f\n\r\t";
    char *to = room;
    while (text < end) {
        if (*text != '\\') {
            *to++ = *text++;
            continue;
        }
        if (++text == end || !*text)
            return -1;
        const char *letter = strchr (letters, *text);
        int32_t c = letter? meaning [letter - letters]: 0;
        if (!letter) {
            size_t taken = *text == 'u'? s_unescape_u (text + 1, end, &c): 0;
            if (!taken)
                return -1;
            text += taken;
        }
        to = s_put_utf8 (to, c);
        text++;
    }
    return to - room;
}

static int
s_set_string (const stele_json_field_t *member, stele_vocabulary_t states, stele_record_t *record)
{
    char *room = stele_record_alloc (record, member->size);
    if (!room)
        return STELE_ENO_MEMORY;
    int64_t size = s_unescape (member->value + 1, member->value + member->size - 1, room);
    if (size < 0)
        return STELE_ELEDGER;
    stele_kind_t kind = stele_field_kind (member->field);
    if (kind == STELE_KIND_STATE) {
        int code = stele_vocabulary_code (states, room, (size_t) size);
        if (code == 0)
            return STELE_ELEDGER;
        stele_record_set_word (record, member->field, states, code);
        return 0;
    }
    if (kind != STELE_KIND_TEXT && kind != STELE_KIND_ID)
        return STELE_ELEDGER;
    stele_record_set_text (record, member->field, room, (size_t) size);
    return 0;
}

//  An integer that fits an int64. Returns 0 or STELE_ELEDGER.
static int
s_integer (const char *text, size_t size, int64_t *value)
{
    bool negative = size > 1 && *text == '-';
    const char *end = text + size;
    uint64_t sum = 0;
    uint64_t most = negative? (uint64_t) INT64_MAX + 1: INT64_MAX;
    for (text += negative; text < end; text++) {
        unsigned digit = (unsigned) *text - '0';
        if (digit > 9 || sum > (most - digit) / 10)
            return STELE_ELEDGER;
        sum = sum * 10 + digit;
    }
    *value = (int64_t) (negative? 0 - sum: sum);
    return 0;
}

static bool
s_is (const stele_json_field_t *member, const char *literal)
{
    return member->size == strlen (literal) && memcmp (member->value, literal, member->size) == 0;
}

int
stele_json_field_set (const stele_json_field_t *member, stele_vocabulary_t states,
    stele_record_t *record)
{
    stele_field_t field = member->field;
    if (field == STELE_FIELD_NONE)
        return STELE_ELEDGER;
    if (s_is (member, "null")) {
        record->values [field].kind = STELE_VALUE_NONE;
        return 0;
    }
    if (*member->value == '"')
        return s_set_string (member, states, record);

    stele_kind_t kind = stele_field_kind (field);
    if (kind == STELE_KIND_BOOL && (s_is (member, "true") || s_is (member, "false"))) {
        stele_record_set_bool (record, field, *member->value == 't');
        return 0;
    }
    if (kind == STELE_KIND_MAP && *member->value == '{') {
        char *copy = stele_record_alloc (record, member->size);
        if (!copy)
            return STELE_ENO_MEMORY;
        memcpy (copy, member->value, member->size);
        stele_record_set_json (record, field, copy, member->size);
        return 0;
    }
    int64_t value;
    if ((kind != STELE_KIND_NATURAL && kind != STELE_KIND_INTEGER)
    ||  s_integer (member->value, member->size, &value))
        return STELE_ELEDGER;
    stele_record_set_integer (record, field, value);
    return 0;
}

int
stele_json_fields_set (const char *text, size_t size, stele_vocabulary_t states,
    stele_record_t *record)
{
    stele_json_fields_t members = stele_json_fields_start (text, size);
    stele_json_field_t member;
    int rc;
    while ((rc = stele_json_fields_next (&members, &member)) == 1) {
        rc = stele_json_field_set (&member, states, record);
        if (rc)
            return rc;
    }
    return rc;
}
