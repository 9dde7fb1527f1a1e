/*  reply - an answer of the broker as JSON of HTTP

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "base/memory.h"
#include "http/reply.h"
#include "wire/json/json.h"
#include "wire/map.h"
#include "wire/scan.h"
#include "wire/time.h"

int
http_reply_check (const void *answer, size_t size, stele_refusal_t *refusal)
{
    stele_map_t map = { answer, size }, error;
    bool ok = false;
    if (stele_map_bool (&map, "ok", &ok) && ok)
        return 0;
    *refusal = (stele_refusal_t) { .code = STELE_EINTERNAL };
    if (stele_map_map (&map, "error", &error)) {
        refusal->code = stele_map_code (&error, "code");
        stele_map_message (&error, refusal->message, sizeof refusal->message);
        stele_map_text (&error, "field", refusal->field, sizeof refusal->field);
    }
    return refusal->code;
}

static bool
s_is_listed (const char *list, stele_token_t key)
{
    for (const char *word = list; *word; word += strcspn (word, " ") + 1)
        if (strcspn (word, " ") == key.size && memcmp (word, key.data, key.size) == 0)
            return true;
    return false;
}

//  An integer that is a time, as text. False: it is none.
static bool
s_pack_time (stele_pack_t *pack, stele_token_t token)
{
    char text [32];
    if (token.kind != STELE_SCAN_INTEGER)
        return false;
    stele_time_print (token.integer, text, sizeof text);
    stele_pack_string (pack, text);
    return true;
}

//  The groups of stats.tasks, the series of stats.series and the days of storage, with their times as text
static void
s_pack_groups (stele_pack_t *pack, const void *groups, size_t size)
{
    stele_scan_t scan = stele_scan_start (groups, size);
    uint32_t count = stele_scan_next (&scan).count;
    stele_pack_array (pack, count);
    while (count--) {
        uint32_t members = stele_scan_next (&scan).count;
        stele_pack_map (pack, members);
        while (members--) {
            const void *value;
            size_t value_size;
            stele_token_t key = stele_scan_next (&scan);
            stele_pack_text (pack, key.data, key.size);
            stele_scan_skip (&scan, &value, &value_size);
            stele_scan_t inside = stele_scan_start (value, value_size);
            stele_token_t token = stele_scan_next (&inside);
            if (!s_is_listed ("hour day first last ", key) || !s_pack_time (pack, token))
                stele_pack_packed (pack, value, value_size);
        }
    }
}

char *
http_reply_json (const void *answer, size_t size, const char *only, stele_pack_t *pack)
{
    stele_scan_t scan = stele_scan_start (answer, size);
    uint32_t count = stele_scan_next (&scan).count;
    size_t kept = 0;
    stele_pack_clear (pack);
    size_t mark = stele_pack_open_map (pack);
    while (count--) {
        const void *value;
        size_t value_size;
        stele_token_t key = stele_scan_next (&scan);
        if (key.kind != STELE_SCAN_TEXT)
            return NULL;
        stele_scan_skip (&scan, &value, &value_size);
        if ((key.size == 2 && memcmp (key.data, "ok", 2) == 0) || (only && !s_is_listed (only, key)))
            continue;
        stele_pack_text (pack, key.data, key.size);
        stele_scan_t inside = stele_scan_start (value, value_size);
        if (s_is_listed ("groups series days ", key))
            s_pack_groups (pack, value, value_size);
        else
        if (!s_is_listed ("from to since measured_at ", key) || !s_pack_time (pack, stele_scan_next (&inside)))
            stele_pack_packed (pack, value, value_size);
        kept++;
    }
    stele_pack_close (pack, mark, kept);
    return stele_pack_failed (pack)? NULL: stele_json_print (stele_pack_data (pack), stele_pack_size (pack), true);
}

//  Without live records in Redis, or without keys, which is a matter of the settings, a later request is refused, too (protocol
//  section 8)
static bool
s_lacks (const stele_refusal_t *refusal, const char *part)
{
    return refusal->code == STELE_EUNAVAILABLE && strcmp (refusal->field, part) == 0;
}

//  Where the text of the code is about msgpack or does not apply
const char *
http_reply_title (const stele_refusal_t *refusal)
{
    if (refusal->code == STELE_EMALFORMED)
        return "the request is not JSON with valid UTF-8 text: correct it";
    return s_lacks (refusal, "redis")? "this broker does not use Redis now":
        s_lacks (refusal, "keys")? "this broker has no keys": stele_error_text (refusal->code);
}

int
http_reply_status (const stele_refusal_t *refusal)
{
    if (s_lacks (refusal, "redis") || s_lacks (refusal, "keys"))
        return 409;
    switch (refusal->code) {
        case STELE_EMALFORMED:
        case STELE_EBAD_REQUEST:
        case STELE_EINVALID_FIELD:
        case STELE_EMISSING_FIELD:
        case STELE_EUNKNOWN_OP:
        case STELE_EUNKNOWN_TYPE:
        case STELE_EPROTOCOL:
            return 400;
        case STELE_EUNAUTHORIZED:
            return 403;
        case STELE_ENOT_FOUND:
            return 404;
        case STELE_EILLEGAL:
        case STELE_EEXISTS:
        case STELE_EGAP:
        case STELE_EFENCED:
        case STELE_EBEHIND:
            return 409;
        case STELE_ETOO_LARGE:
            return 413;
        case STELE_ESECRET:
            return 422;
        case STELE_EWINDOW:
            return 429;
        case STELE_EUNAVAILABLE:
        case STELE_ENOT_WRITER:
            return 503;
        case STELE_ETIMEOUT:
            return 504;
        default:
            return 500;
    }
}

char *
http_reply_problem (int status, const char *code, const char *title, const char *field, const char *detail,
    const char *request_id)
{
    char type [64] = "about:blank";
    if (code)
        snprintf (type, sizeof type, "urn:stele:%s", code);
    json_t *problem = json_pack ("{ss, ss, si}", "type", type, "title", title, "status", status);
    //  A detail may quote what a client sent
    if (detail && *detail)
        json_object_set_new (problem, "detail", json_string (detail));
    if (code)
        json_object_set_new (problem, "code", json_string (code));
    if (field && *field)
        json_object_set_new (problem, "field", json_string (field));
    if (request_id && *request_id)
        json_object_set_new (problem, "request_id", json_string (request_id));
    char *text = json_dumps (problem, JSON_COMPACT);
    json_decref (problem);
    return text? text: stele_memory_copy ("{}", 2);
}

bool
http_reply_next (const http_target_t *target, const char *name, const char *cursor, const char *more,
    char next [HTTP_NEXT_SIZE])
{
    size_t name_size = strlen (name);
    int used = snprintf (next, HTTP_NEXT_SIZE, "%.*s?", (int) target->path.size, target->path.data);
    const char *data = target->query.data;
    size_t left = target->query.size;
    while (left && used < HTTP_NEXT_SIZE) {
        const char *end = memchr (data, '&', left);
        size_t size = end? (size_t) (end - data): left;
        bool replaced = size > name_size && memcmp (data, name, name_size) == 0 && data [name_size] == '=';
        if (size && !replaced)
            used += snprintf (next + used, HTTP_NEXT_SIZE - (size_t) used, "%.*s&", (int) size, data);
        data += size + (end != NULL);
        left -= size + (end != NULL);
    }
    if (used < HTTP_NEXT_SIZE)
        used += snprintf (next + used, HTTP_NEXT_SIZE - (size_t) used, "%s=%s%s", name, cursor, more);
    return used < HTTP_NEXT_SIZE;
}
