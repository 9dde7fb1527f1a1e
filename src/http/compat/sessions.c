/*  sessions - GET /api/cli/sessions/{session_id}, and /persistent below it

    The session, and then its last commands, or how many of its commands failed.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "http/compat/compat.h"
#include "http/compat/record.h"
#include "wire/scan.h"

#define COMMANDS 10                 // Of a session, the last ones

static bool
s_is_record (const http_call_t *call)
{
    return call->route == &http_routes [HTTP_ROUTE_COMPAT_SESSION_RECORD];
}

//  -- with its last commands -------------------------------------------------------------------------

//  The texts of the rows, newest first, oldest first
static json_t *
s_commands (const void *rows, size_t size)
{
    json_t *commands = json_array ();
    stele_scan_t scan = stele_scan_start (rows, size);
    uint32_t count = stele_scan_next (&scan).count;
    while (count--) {
        stele_map_t row;
        stele_scan_skip (&scan, &row.data, &row.size);
        json_array_insert_new (commands, 0, http_compat_text (&row, "command"));
    }
    return commands;
}

//  The keys in the order of the earlier system
static json_t *
s_session (const stele_map_t *session, json_t *commands)
{
    json_t *short_form = http_compat_record (HTTP_COMPAT_SESSION, session), *whole = json_object (), *value;
    const char *key;
    json_object_foreach (short_form, key, value) {
        if (strcmp (key, "current_directory") == 0)
            json_object_set_new (whole, "auth_prompt", http_compat_text_or_null (session, "auth_prompt"));
        if (strcmp (key, "websocket_url") == 0)
            json_object_set (whole, "command_history", commands);
        json_object_set (whole, key, value);
    }
    json_decref (short_form);
    json_decref (commands);
    return whole;
}

static void
s_on_commands (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t session = http_compat_kept (call);
    const void *rows;
    size_t rows_size;
    if (!http_compat_succeeded (call, answer, size, refusal, NULL))
        return;
    bool valid = stele_scan_find (answer, size, "commands", &rows, &rows_size).kind == STELE_SCAN_ARRAY;
    http_compat_answer (call, answer, size, valid? s_session (&session, s_commands (rows, rows_size)): NULL);
}

static void
s_ask_commands (http_call_t *call)
{
    http_span_t id = http_compat_segment (call, "session_id");
    stele_pack_t *pack = http_compat_request (call->server, "session.commands");
    stele_pack_key (pack, "session_id");
    stele_pack_text (pack, id.data, id.size);
    stele_pack_key_string (pack, "order", "desc");
    stele_pack_key_integer (pack, "limit", COMMANDS);
    //  As little of the outputs as can be asked for
    stele_pack_key_integer (pack, "output_offset", 0);
    stele_pack_key_integer (pack, "output_length", 1);
    stele_pack_map_end (pack);
    http_call_ask (call, pack, s_on_commands);
}

//  -- as a record ------------------------------------------------------------------------------------------

//  Its state in the words of that record
static const char *
s_status (const stele_map_t *session)
{
    static const char *const words [] [2] = {
        { "initializing", "initializing" }, { "starting", "initializing" }, { "running", "ready" }, { "waiting_input", "idle" },
        { "processing", "processing" }, { "completed", "terminated" }, { "error", "error" }, { "terminated", "terminated" }
    };
    char state [32] = "";
    stele_map_text (session, "state", state, sizeof state);
    for (size_t i = 0; i < sizeof words / sizeof words [0]; i++)
        if (strcmp (words [i] [0], state) == 0)
            return words [i] [1];
    return "initializing";
}

static void
s_on_times (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t session = http_compat_kept (call), row = { "\x80", 1 };
    const void *rows;
    size_t rows_size;
    int64_t failed = 0, commands = 0;
    if (!http_compat_succeeded (call, answer, size, refusal, NULL))
        return;
    if (stele_scan_find (answer, size, "times", &rows, &rows_size).count) {
        stele_scan_t scan = stele_scan_start (rows, rows_size);
        stele_scan_next (&scan);
        stele_scan_skip (&scan, &row.data, &row.size);
    }
    stele_map_integer (&row, "failed", &failed);
    stele_map_integer (&row, "commands", &commands);
    http_compat_answer (call, answer, size, json_pack ("{so, so, so, so, so, ss, so, sI, sI, s{}}",
        "id", http_compat_text (&session, "session_id"), "provider", http_compat_text (&session, "cli_tool"),
        "user_id", http_compat_text (&session, "user_id"), "created_at", http_compat_time_or_null (&session, "created_at"),
        "last_activity", http_compat_time_or_null (&session, "updated_at"), "status", s_status (&session),
        "working_directory", http_compat_text_or_null (&session, "current_directory"),
        "error_count", (json_int_t) failed, "command_count", (json_int_t) commands, "metadata"));
}

//  -- the session ----------------------------------------------------------------------------------------------

static void
s_on_session (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t map = { answer, size }, session = { "\x80", 1 };
    if (!http_compat_succeeded (call, answer, size, refusal,
            s_is_record (call)? "Session not found in persistence": "CLI session not found"))
        return;
    stele_map_map (&map, "session", &session);
    http_compat_keep (call, session.data, session.size);
    if (s_is_record (call))
        http_call_ask (call, http_compat_request_of (call, "session.times", "session_id"), s_on_times);
    else
        s_ask_commands (call);
}

void
http_compat_session_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    http_call_t *call = http_call_new (server, conn, route);
    http_call_ask (call, http_compat_request_of (call, "session.get", "session_id"), s_on_session);
}
