/*  persistent - the filters of GET /api/tasks/persistent

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "http/compat/compat.h"
#include "http/compat/persistent.h"
#include "http/params.h"
#include "wire/time.h"

#define LIMIT 100

static void
s_pack_words (stele_pack_t *pack, const char *name, http_span_t words)
{
    if (words.size == 0)
        return;
    stele_pack_key (pack, name);
    size_t mark = stele_pack_open_array (pack), count = 0;
    for (const char *word = words.data; *word;) {
        size_t size = strcspn (word, ",");
        const char *next = word + size + (word [size] == ',');
        while (size && *word == ' ') {
            word++;
            size--;
        }
        while (size && word [size - 1] == ' ')
            size--;
        if (size) {
            stele_pack_text (pack, word, size);
            count++;
        }
        word = next;
    }
    stele_pack_close (pack, mark, count);
}

//  ISO 8601: a date, or with a time to minutes or seconds; without an offset it is UTC. A "+" that was not
//  encoded has become a space.
static bool
s_parse_time (http_span_t text, int64_t *time_us)
{
    char whole [64];
    if (text.size < 10 || text.size > 40)
        return false;
    int used = snprintf (whole, sizeof whole, "%s", text.data);
    if (used == 10)
        used += snprintf (whole + used, sizeof whole - (size_t) used, "T00:00");
    char *offset = whole + 11 + strcspn (whole + 11, "+- Zz");
    char zone [40];
    snprintf (zone, sizeof zone, "%s%s", *offset == ' '? "+": "", *offset == ' '? offset + 1: *offset? offset: "Z");
    bool minutes = offset - whole == 16;
    snprintf (offset, sizeof whole - (size_t) (offset - whole), "%s%s", minutes? ":00": "", zone);
    return stele_time_parse (whole, strlen (whole), time_us) == 0;
}

static bool
s_pack_time (http_server_t *server, http_conn_t *conn, stele_pack_t *pack, const char *name)
{
    http_span_t text = http_target_param (&http_conn_request (conn)->target, name);
    int64_t time_us;
    if (text.size == 0)
        return true;
    if (!s_parse_time (text, &time_us)) {
        http_compat_refuse (server, conn, 400, "%s takes an ISO 8601 time, such as 2026-01-31T23:59:59Z", name);
        return false;
    }
    stele_pack_key_integer (pack, name, time_us);
    return true;
}

static bool
s_number (http_server_t *server, http_conn_t *conn, const char *name, int64_t least, int64_t *number)
{
    http_span_t text = http_target_param (&http_conn_request (conn)->target, name);
    if (text.size == 0 || (http_span_number (text, number) && *number >= least))
        return true;
    http_compat_refuse (server, conn, 400, "%s takes an integer of at least %d", name, (int) least);
    return false;
}

bool
http_compat_persistent_pack (http_server_t *server, http_conn_t *conn, stele_pack_t *pack, int64_t *limit)
{
    const http_target_t *target = &http_conn_request (conn)->target;
    int64_t offset = 0;
    *limit = LIMIT;
    static const char *const lists [] = { "states", "roles", "providers" };
    for (size_t i = 0; i < 3; i++)
        s_pack_words (pack, lists [i], http_target_param (target, lists [i]));
    http_span_t search = http_target_param (target, "search");
    if (search.size) {
        stele_pack_key (pack, "contains");
        stele_pack_text (pack, search.data, search.size);
    }
    if (!s_number (server, conn, "limit", 1, limit) || !s_number (server, conn, "offset", 0, &offset)
    ||  !s_pack_time (server, conn, pack, "date_from") || !s_pack_time (server, conn, pack, "date_to"))
        return false;
    stele_pack_key_integer (pack, "offset", offset);
    return true;
}

json_t *
http_compat_persistent_filter (const http_request_t *request)
{
    static const char *const texts [] = { "states", "roles", "providers", "search" };
    json_t *filter = json_object ();
    int64_t limit = LIMIT, offset = 0;
    for (size_t i = 0; i < 4; i++) {
        http_span_t value = http_target_param (&request->target, texts [i]);
        json_object_set_new (filter, texts [i], value.data? json_stringn (value.data, value.size): json_null ());
    }
    http_span_number (http_target_param (&request->target, "limit"), &limit);
    http_span_number (http_target_param (&request->target, "offset"), &offset);
    json_object_set_new (filter, "limit", json_integer (limit));
    json_object_set_new (filter, "offset", json_integer (offset));
    return filter;
}
