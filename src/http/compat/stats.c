/*  stats - GET /api/persistence/stats: the oldest and the newest task, the sessions and the statistics, one after another; and
    GET /api/metrics

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "base/memory.h"
#include "http/compat/compat.h"
#include "http/compat/record.h"
#include "wire/scan.h"

typedef enum { OLDEST, NEWEST, SESSIONS, FIGURES } s_step_t;

typedef struct {
    s_step_t step;
    json_int_t times [2];           // created_at of the oldest and the newest task; -1: there is none
    json_int_t sessions;
    int64_t cursor;                 // Of the next page of sessions; 0: the first page
} s_stats_t;

static void s_on_answer (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal);

//  -- the answer -----------------------------------------------------------------------------------

//  The counts that are not 0
static json_t *
s_counts (const stele_map_t *tasks, const char *key)
{
    json_t *counts = http_compat_object (tasks, key), *count;
    const char *name;
    void *next;
    json_object_foreach_safe (counts, next, name, count)
        if (json_integer_value (count) == 0)
            json_object_del (counts, name);
    return counts;
}

//  With the write-ahead log, in MiB to two digits
static double
s_size_mb (const stele_map_t *ledger)
{
    int64_t file = 0, log = 0;
    stele_map_integer (ledger, "size_bytes", &file);
    stele_map_integer (ledger, "wal_bytes", &log);
    return (double) ((file + log) * 100 / 1048576) / 100;
}

static json_t *
s_time (json_int_t time_us)
{
    return time_us < 0? json_null (): http_compat_time (time_us, false);
}

static json_t *
s_print (const s_stats_t *self, const stele_map_t *answer)
{
    stele_map_t tasks = { "\x80", 1 }, ledger = tasks;
    int64_t total = 0;
    stele_map_map (answer, "tasks", &tasks);
    stele_map_map (answer, "ledger", &ledger);
    stele_map_integer (&tasks, "total", &total);
    return json_pack ("{sI, so, so, sI, sf, so, so}", "total_tasks", (json_int_t) total,
        "tasks_by_state", s_counts (&tasks, "by_state"), "tasks_by_role", s_counts (&tasks, "by_role"),
        "active_cli_sessions", self->sessions, "database_size_mb", s_size_mb (&ledger),
        "oldest_task_date", s_time (self->times [0]), "newest_task_date", s_time (self->times [1]));
}

//  -- one request after another ------------------------------------------------------------------------

static void
s_request (http_call_t *call)
{
    const s_stats_t *self = call->state;
    static const char *const operations [] = { "task.list", "task.list", "session.list", "stats" };
    stele_pack_t *pack = http_compat_request (call->server, operations [self->step]);
    if (self->step == SESSIONS) {
        static const char *const active [] = { "initializing", "starting", "running", "waiting_input", "processing", "completed" };
        stele_pack_key (pack, "states");
        stele_pack_array (pack, 6);
        for (size_t i = 0; i < 6; i++)
            stele_pack_string (pack, active [i]);
        stele_pack_key_integer (pack, "limit", call->server->list_limit);
        if (self->cursor)
            stele_pack_key_integer (pack, "cursor", self->cursor);
    }
    else
    if (self->step != FIGURES) {
        stele_pack_key_string (pack, "order", self->step == OLDEST? "created_asc": "created_desc");
        stele_pack_key_integer (pack, "limit", 1);
    }
    stele_pack_map_end (pack);
    http_call_ask (call, pack, s_on_answer);
}

//  Take what a step is for. Returns whether there is another page of it.
static bool
s_take (s_stats_t *self, const stele_map_t *answer)
{
    const void *rows;
    size_t size;
    int64_t time_us;
    const char *key = self->step == SESSIONS? "sessions": "tasks";
    stele_token_t list = stele_scan_find (answer->data, answer->size, key, &rows, &size);
    if (self->step == SESSIONS) {
        self->sessions += list.count;
        return stele_map_integer (answer, "next", &self->cursor);
    }
    if (list.count) {
        stele_scan_t scan = stele_scan_start (rows, size);
        stele_map_t row;
        stele_scan_next (&scan);
        stele_scan_skip (&scan, &row.data, &row.size);
        if (stele_map_integer (&row, "created_at", &time_us))
            self->times [self->step] = time_us;
    }
    return false;
}

static void
s_on_answer (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    s_stats_t *self = call->state;
    stele_map_t map = { answer, size };
    if (!http_compat_succeeded (call, answer, size, refusal, NULL))
        return;
    if (self->step == FIGURES) {
        http_compat_answer (call, answer, size, s_print (self, &map));
        return;
    }
    if (!s_take (self, &map))
        self->step++;
    s_request (call);
}

void
http_compat_stats_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    s_stats_t *self = STELE_NEW (s_stats_t);
    self->times [0] = self->times [1] = -1;
    http_call_t *call = http_call_new (server, conn, route);
    call->state = self;
    s_request (call);
}

//  -- the numbers of the dashboard ---------------------------------------------------------------------

//  The earlier system counted from the start of its server; these are all tasks. Commits and pull requests are not of the
//  record, nor is the repository.
static void
s_on_metrics (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_call_t *call = arg;
    stele_map_t map = { answer, size }, tasks = { "\x80", 1 }, states = tasks;
    int64_t total = 0, queued = 0, passed = 0, failed = 0, error = 0, timeout = 0;
    if (!http_compat_succeeded (call, answer, size, refusal, NULL))
        return;
    stele_map_map (&map, "tasks", &tasks);
    stele_map_map (&tasks, "by_state", &states);
    stele_map_integer (&tasks, "total", &total);
    stele_map_integer (&states, "queued", &queued);
    stele_map_integer (&states, "passed", &passed);
    stele_map_integer (&states, "failed", &failed);
    stele_map_integer (&states, "error", &error);
    stele_map_integer (&states, "timeout", &timeout);
    http_compat_answer (call, answer, size, json_pack ("{s{ss, ss, ss}, sf, sf, sf, sf, sf, sf}", "repository",
        "name", "unknown", "path", "", "branch", "unknown", "tasks_enqueued", (double) total,
        "tasks_started", (double) (total - queued), "tasks_succeeded", (double) passed,
        "tasks_failed", (double) (failed + error + timeout), "commits_made", 0.0, "prs_opened", 0.0));
}

void
http_compat_metrics_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    http_call_t *call = http_call_new (server, conn, route);
    stele_pack_map_end (http_compat_request (server, route->operation));
    http_call_ask (call, server->pack, s_on_metrics);
}
