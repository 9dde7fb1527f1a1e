/*  preferences - GET and POST /api/preferences

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "http/compat/body.h"
#include "http/compat/compat.h"
#include "http/compat/record.h"
#include "wire/scan.h"

//  Of the query; else that of the client's token, if it is bound to one; else "default"
static http_span_t
s_user (const http_call_t *call)
{
    const http_request_t *request = http_conn_request (call->conn);
    const void *users;
    size_t size;
    http_span_t user = http_target_param (&request->target, "user_id");
    if (user.size)
        return user;
    if (http_actor_is_bound (request->actor)
    &&  stele_scan_find (request->actor->packed, request->actor->packed_size, "users", &users, &size).count == 1) {
        stele_scan_t scan = stele_scan_start (users, size);
        stele_scan_next (&scan);
        stele_token_t name = stele_scan_next (&scan);
        return (http_span_t) { name.data, name.size };
    }
    return (http_span_t) { "default", 7 };
}

static json_t *
s_preferences (const stele_map_t *from, http_span_t user)
{
    bool full_access = false;
    stele_map_bool (from, "full_access_preferred", &full_access);
    return json_pack ("{ss%, so, so, sb, so}", "user_id", user.data, user.size,
        "preferred_provider", http_compat_text_or_null (from, "preferred_provider"),
        "preferred_model", http_compat_text_or_null (from, "preferred_model"), "full_access_preferred", full_access,
        "role_preferences", http_compat_object (from, "role_preferences"));
}

//  A user who has set none has the defaults
static void
s_on_preferences (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t map = { answer, size }, error, preferences = { "\x80", 1 };
    bool none = answer && stele_map_map (&map, "error", &error) && stele_map_code (&error, "code") == STELE_ENOT_FOUND;
    if (!none && !http_compat_succeeded (call, answer, size, refusal, NULL))
        return;
    call->token = 0;
    if (!none)
        stele_map_map (&map, "preferences", &preferences);
    http_compat_answer (call, answer, size, s_preferences (&preferences, s_user (call)));
}

static void
s_on_set (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t event = http_compat_kept (call);
    if (http_compat_published (call, answer, size, refusal))
        http_compat_answer (call, answer, size, s_preferences (&event, s_user (call)));
}

//  All of them: what the client leaves out gets its default again. The broker keeps what is absent, so it is set to "".
static void
s_set (http_call_t *call)
{
    stele_map_t body = http_compat_kept (call);
    stele_pack_t *pack = http_compat_event (call->server, "preference.set");
    static const char *const texts [] = { "preferred_provider", "preferred_model" };
    http_span_t user = s_user (call);
    bool full_access = false;
    stele_pack_key (pack, "user_id");
    stele_pack_text (pack, user.data, user.size);
    for (size_t i = 0; i < 2; i++)
        if (stele_scan_find (body.data, body.size, texts [i], NULL, NULL).kind == STELE_SCAN_TEXT)
            http_compat_copy (pack, texts [i], &body, texts [i]);
        else
            stele_pack_key_string (pack, texts [i], "");
    stele_map_bool (&body, "full_access_preferred", &full_access);
    stele_pack_key_bool (pack, "full_access_preferred", full_access);
    if (stele_scan_find (body.data, body.size, "role_preferences", NULL, NULL).kind == STELE_SCAN_MAP)
        http_compat_copy (pack, "role_preferences", &body, "role_preferences");
    else {
        stele_pack_key (pack, "role_preferences");
        stele_pack_map (pack, 0);
    }
    stele_pack_map_end (pack);
    http_compat_publish (call, s_on_set);
}

void
http_compat_preferences_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    http_call_t *call = http_route_has_body (route)? http_compat_body (server, conn, route): http_call_new (server, conn, route);
    if (!call)
        return;
    if (http_route_has_body (route)) {
        s_set (call);
        return;
    }
    http_span_t user = s_user (call);
    http_compat_request (server, route->operation);
    stele_pack_key (server->pack, "user_id");
    stele_pack_text (server->pack, user.data, user.size);
    stele_pack_map_end (server->pack);
    http_call_ask (call, server->pack, s_on_preferences);
}
