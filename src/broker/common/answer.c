/*  answer - the common entries of all answers, and refusals

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include "broker/common/answer.h"
#include "wire/scan.h"

void
stele_answer_begin (stele_pack_t *pack, int64_t position)
{
    stele_pack_map_begin (pack);
    stele_pack_key_bool (pack, "ok", true);
    stele_pack_key_integer (pack, "position", position);
}

size_t
stele_answer_open (stele_pack_t *pack, int64_t position)
{
    size_t mark = stele_pack_open_map (pack);
    stele_pack_key_bool (pack, "ok", true);
    stele_pack_key_integer (pack, "position", position);
    return mark;
}

void
stele_answer_close (stele_pack_t *pack, size_t mark, size_t entries)
{
    stele_pack_close (pack, mark, entries + 2);
}

//  -- refusals --------------------------------------------------------------------

//  Section 8 has fewer codes for answers than the library: a client needs no others

static int
s_answer_code (int code)
{
    switch (code) {
        case STELE_EMALFORMED:
        case STELE_EMISSING_FIELD:
        case STELE_EINVALID_FIELD:
        case STELE_EUNKNOWN_TYPE:
            return STELE_EBAD_REQUEST;
        case STELE_EBUSY:
        case STELE_EFULL:
            return STELE_EUNAVAILABLE;
        case STELE_ENO_MEMORY:
        case STELE_EIO:
        case STELE_ELEDGER:
            return STELE_EINTERNAL;
        default:
            return code;
    }
}

void
stele_answer_key_refusal (stele_pack_t *pack, int code, const stele_refusal_t *refusal)
{
    stele_pack_key_string (pack, "code", stele_error_name (code));
    stele_pack_key_string (pack, "message",
        refusal->message [0]? refusal->message: stele_error_text (code));
    if (refusal->field [0])
        stele_pack_key_string (pack, "field", refusal->field);
}

//  'expected' 0, 'writer' "": the error has none
static void
s_refuse (stele_pack_t *pack, const stele_refusal_t *refusal, const char *mode, int64_t expected, const char *writer)
{
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_bool (pack, "ok", false);
    if (mode)
        stele_pack_key_string (pack, "mode", mode);
    stele_pack_key (pack, "error");
    stele_pack_map_begin (pack);
    stele_answer_key_refusal (pack, s_answer_code (refusal->code), refusal);
    if (expected)
        stele_pack_key_integer (pack, "expected", expected);
    if (*writer)
        stele_pack_key_string (pack, "writer", writer);
    stele_pack_map_end (pack);
    stele_pack_map_end (pack);
}

void
stele_answer_refuse (stele_pack_t *pack, const stele_refusal_t *refusal, const char *mode, int64_t expected)
{
    s_refuse (pack, refusal, mode, expected, "");
}

void
stele_answer_not_writer (stele_pack_t *pack, const stele_refusal_t *refusal, const char *writer)
{
    s_refuse (pack, refusal, NULL, 0, writer);
}

//  -- entries that the router reads and adds ------------------------------------------------

int
stele_answer_read (const void *answer, size_t size, int64_t *position)
{
    stele_token_t token = stele_scan_find (answer, size, "ok", NULL, NULL);
    if (token.kind == STELE_SCAN_BOOL && token.integer) {
        token = stele_scan_find (answer, size, "position", NULL, NULL);
        if (token.kind == STELE_SCAN_INTEGER)
            *position = token.integer;
        return 0;
    }
    const void *error;
    size_t error_size;
    token = stele_scan_find (answer, size, "error", &error, &error_size);
    if (token.kind != STELE_SCAN_MAP)
        return STELE_EINTERNAL;
    token = stele_scan_find (error, error_size, "code", NULL, NULL);
    char name [32] = "";
    if (token.kind == STELE_SCAN_TEXT)
        snprintf (name, sizeof name, "%.*s", (int) token.size, token.data);
    return stele_error_code (name);
}

void
stele_answer_extend (const void *answer, size_t size, const char *key,
    const void *value, size_t value_size, stele_pack_t *pack)
{
    stele_scan_t scan = stele_scan_start (answer, size);
    uint32_t count = stele_scan_next (&scan).count;
    stele_pack_clear (pack);
    stele_pack_map (pack, count + 1);
    stele_pack_packed (pack, scan.next, (size_t) (scan.end - scan.next));
    stele_pack_string (pack, key);
    stele_pack_packed (pack, value, value_size);
}
