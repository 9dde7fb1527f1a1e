/*  tasks - GET /tasks/{task_id}, and POST /api/tasks/{task_id}/recover

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "http/compat/compat.h"
#include "http/compat/record.h"

static void
s_on_status (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t map = { answer, size }, task;
    if (http_compat_succeeded (call, answer, size, refusal, "Task not found"))
        http_compat_answer (call, answer, size, stele_map_map (&map, "task", &task)?
            http_compat_record (HTTP_COMPAT_TASK, &task): NULL);
}

static void
s_on_recovered (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t map = { answer, size }, task;
    if (http_compat_succeeded (call, answer, size, refusal, "Task not found in persistent storage"))
        http_compat_answer (call, answer, size, stele_map_map (&map, "task", &task)?
            json_pack ("{ss, so, so}", "message", "Task recovered successfully", "task_id", http_compat_text (&task, "task_id"),
                "restored_state", http_compat_text (&task, "state")): NULL);
}

void
http_compat_task_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    http_call_t *call = http_call_new (server, conn, route);
    http_call_ask (call, http_compat_request_of (call, route->operation, "task_id"),
        route->method == HTTP_POST? s_on_recovered: s_on_status);
}
