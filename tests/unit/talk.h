/*  talk - requests and answers as JSON, for tests

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef TALK_H_INCLUDED
#define TALK_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "wire/json/json.h"
#include "wire/scan.h"

/*  JSON text, with ' for ", as msgpack. Caller owns return value.           */
static inline stele_pack_t *
talk_pack (const char *format, ...)
{
    char text [8192];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    for (char *byte = text; *byte; byte++)
        if (*byte == '\'')
            *byte = '"';
    stele_pack_t *pack = stele_pack_new ();
    stele_refusal_t refusal = { 0 };
    if (stele_json_parse_pack (text, strlen (text), pack, &refusal))
        fail_msg ("%s in %s", refusal.message, text);
    return pack;
}

/*  msgpack as JSON. Caller owns return value.                               */
static inline json_t *
talk_unpack (const void *data, size_t size)
{
    const char *why = "";
    if (stele_scan_check (data, size, size, &why))
        fail_msg ("not msgpack: %s", why);
    char *text = stele_json_print (data, size, false);
    assert_non_null (text);
    json_error_t error;
    json_t *value = json_loads (text, JSON_DECODE_ANY, &error);
    if (!value)
        fail_msg ("%s in %s", error.text, text);
    free (text);
    return value;
}

/*  The value at a path like "error/code" or "tasks/0/state", NULL where there is none. */
static inline json_t *
talk_at (json_t *value, const char *path)
{
    char copy [256], *rest = NULL;
    snprintf (copy, sizeof copy, "%s", path);
    for (char *step = strtok_r (copy, "/", &rest); step && value; step = strtok_r (NULL, "/", &rest))
        value = json_is_array (value)? json_array_get (value, (size_t) atoi (step)):
            json_object_get (value, step);
    return value;
}

static inline const char *
talk_text (json_t *value, const char *path)
{
    const char *text = json_string_value (talk_at (value, path));
    return text? text: "(none)";
}

static inline int64_t
talk_number (json_t *value, const char *path)
{
    json_t *number = talk_at (value, path);
    return json_is_integer (number)? json_integer_value (number): INT64_MIN;
}

static inline bool
talk_is_ok (json_t *answer)
{
    return json_is_true (json_object_get (answer, "ok"));
}

#endif
