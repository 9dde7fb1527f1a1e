/*  publish - POST /tasks, and POST /api/tasks/outputs/{task_id}

    A client that may publish but not query is served too: without preferences, and without the check that the task exists.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include <event2/util.h>
#include "base/memory.h"
#include "http/compat/body.h"
#include "http/compat/compat.h"
#include "http/compat/record.h"
#include "model/vocabulary.h"
#include "wire/scan.h"

//  The error of an answer; 0: none. A request that got no answer has none.
static int
s_error (const void *answer, size_t size)
{
    stele_map_t map = { answer, size }, error;
    return answer && stele_map_map (&map, "error", &error)? stele_map_code (&error, "code"): 0;
}

//  Copy text that is not empty. Returns whether there is any.
static bool
s_copy_text (stele_pack_t *pack, const char *key, const stele_map_t *from, const char *from_key)
{
    stele_token_t token = stele_scan_find (from->data, from->size, from_key, NULL, NULL);
    if (token.kind != STELE_SCAN_TEXT || token.size == 0)
        return false;
    http_compat_copy (pack, key, from, from_key);
    return true;
}

//  -- a task ---------------------------------------------------------------------------------------

static void
s_on_submitted (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t event = http_compat_kept (call);
    bool full_access = false;
    stele_map_bool (&event, "full_access", &full_access);
    if (http_compat_published (call, answer, size, refusal))
        http_compat_answer (call, answer, size, json_pack ("{so, so, so, so, sb}", "job_id", http_compat_text (&event, "job_id"),
            "task_id", http_compat_text (&event, "task_id"),
            "selected_provider", http_compat_text_or_null (&event, "provider"),
            "selected_model", http_compat_text_or_null (&event, "model"), "full_access", full_access));
}

//  Of the task, else of the user for this role, else of the user
static void
s_pack_provider (stele_pack_t *pack, const stele_map_t *task, const stele_map_t *preferences)
{
    char role [1100] = "";
    stele_map_t roles = { "\x80", 1 };
    stele_map_text (task, "role", role, sizeof role);
    stele_map_map (preferences, "role_preferences", &roles);
    const char *key = "provider_override";
    const stele_map_t *from = task;
    if (!s_copy_text (pack, key, task, key)) {
        bool of_role = stele_scan_find (roles.data, roles.size, role, NULL, NULL).kind == STELE_SCAN_TEXT;
        from = of_role? &roles: preferences;
        key = of_role? role: "preferred_provider";
        s_copy_text (pack, "provider_override", from, key);
    }
    s_copy_text (pack, "provider", from, key);
}

//  A name for the run, as the earlier queue gave one: version 4 of RFC 9562
static void
s_pack_job_id (stele_pack_t *pack)
{
    unsigned char random [16];
    char text [37];
    size_t used = 0;
    evutil_secure_rng_get_bytes (random, sizeof random);
    random [6] = (unsigned char) ((random [6] & 0x0f) | 0x40);
    random [8] = (unsigned char) ((random [8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof random; i++)
        used += (size_t) snprintf (text + used, sizeof text - used, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10? "-": "",
            random [i]);
    stele_pack_key_string (pack, "job_id", text);
}

static void
s_on_preferences (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t map = { answer, size }, preferences = { "\x80", 1 }, task = http_compat_kept (call);
    int error = s_error (answer, size);
    if (error != STELE_ENOT_FOUND && error != STELE_EUNAUTHORIZED
    &&  !http_compat_succeeded (call, answer, size, refusal, NULL))
        return;
    call->token = 0;
    if (!error)
        stele_map_map (&map, "preferences", &preferences);
    bool full_access = false, preferred = false;
    stele_map_bool (&task, "full_access", &full_access);
    stele_map_bool (&preferences, "full_access_preferred", &preferred);
    stele_pack_t *pack = http_compat_event (call->server, "task.created");
    http_compat_copy (pack, "task_id", &task, "id");
    static const char *const same [] = { "title", "description", "role", "target_dir", "repository_url", "base_branch" };
    for (size_t i = 0; i < sizeof same / sizeof same [0]; i++)
        http_compat_copy (pack, same [i], &task, same [i]);
    http_compat_copy (pack, "acceptance_criteria", &task, "acceptance");
    s_pack_provider (pack, &task, &preferences);
    if (!s_copy_text (pack, "model", &task, "model"))
        s_copy_text (pack, "model", &preferences, "preferred_model");
    stele_pack_key_bool (pack, "full_access", full_access || preferred);
    //  It also keeps a task that is submitted twice from being taken for a repetition of the same request
    s_pack_job_id (pack);
    stele_pack_map_end (pack);
    http_compat_publish (call, s_on_submitted);
}

void
http_compat_submit_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    http_call_t *call = http_compat_body (server, conn, route);
    if (!call)
        return;
    http_compat_request (server, "preference.get");
    stele_pack_map_end (server->pack);
    http_call_ask (call, server->pack, s_on_preferences);
}

//  -- an output ----------------------------------------------------------------------------------------

static void
s_on_added (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t event = http_compat_kept (call);
    if (http_compat_published (call, answer, size, refusal))
        http_compat_answer (call, answer, size, json_pack ("{ss, so}", "message", "Task output added successfully",
            "task_id", http_compat_text (&event, "task_id")));
}

static void
s_on_task (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t output = http_compat_kept (call);
    if (s_error (answer, size) != STELE_EUNAUTHORIZED && !http_compat_succeeded (call, answer, size, refusal, "Task not found"))
        return;
    call->token = 0;
    http_span_t task_id = http_compat_segment (call, "task_id");
    stele_pack_t *pack = http_compat_event (call->server, "task.output_added");
    stele_pack_key (pack, "task_id");
    stele_pack_text (pack, task_id.data, task_id.size);
    if (!s_copy_text (pack, "output_type", &output, "output_type"))
        stele_pack_key_string (pack, "output_type", "log");
    if (!s_copy_text (pack, "content", &output, "content"))
        stele_pack_key_string (pack, "content", "");
    static const char *const same [] = { "file_path", "file_size", "mime_type", "commit_hash", "branch" };
    for (size_t i = 0; i < sizeof same / sizeof same [0]; i++)
        http_compat_copy (pack, same [i], &output, same [i]);
    stele_pack_map_end (pack);
    http_compat_publish (call, s_on_added);
}

void
http_compat_output_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    http_call_t *call = http_compat_body (server, conn, route);
    if (!call)
        return;
    stele_map_t output = http_compat_kept (call);
    stele_token_t type = stele_scan_find (output.data, output.size, "output_type", NULL, NULL);
    if (type.kind == STELE_SCAN_TEXT && !stele_vocabulary_code (STELE_VOCABULARY_OUTPUT_TYPE, type.data, type.size))
        http_compat_refuse (server, conn, 400, "Invalid output type: %.*s", type.size > 100? 100: (int) type.size, type.data);
    else
        http_call_ask (call, http_compat_request_of (call, "task.status", "task_id"), s_on_task);
}
