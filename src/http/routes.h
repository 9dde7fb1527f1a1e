/*  routes - the table of everything that this server answers

    One row per method and path. The paths, the parameters and the answers of /openapi.json come from the
    same table; tests/http/ requests every row of it, and validates each answer against the document.

    To add a route of the broker's: a row, and nothing else.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_ROUTES_H_INCLUDED
#define STELE_HTTP_ROUTES_H_INCLUDED

#include "http/compat/routes.h"
#include "http/scan.h"
#include "http/target.h"

#define PAGE_PARAMS " limit:number cursor:number"
#define LIST_PARAMS \
    "states:words roles:words providers:words models:words producers:words interrupted:bool user_id:text " \
    "parent_id:text created_from:time created_to:time updated_from:time updated_to:time completed_from:time " \
    "completed_to:time date_from:time date_to:time has_error:bool search:text contains:text order:text limit:number " \
    "cursor:text offset:number total:bool at:time"
#define LIST_ANSWER "tasks:[Task] next:cursor as_of:integer total:integer? total_complete:boolean? complete:boolean? looked_to:integer?"
#define COMMANDS_ANSWER "commands:[Command] next:cursor output_sizes:array? complete:boolean? looked_to:integer?"

#define SERIES_ANSWER "series:[object] step:string step_us:integer from:time to:time since:time folded:integer " \
    "lag_events:integer state:string left_out:integer"

/*  X (constant, method, path, handler, operation, role, cached, parameters, answer, summary)
      path        {name} is a segment that is the parameter 'name'
      handler     who answers (http_handler_t)
      operation   of the broker (protocol section 4); after a ? fixed parameters of it; "" where it is none
      role        that the client needs
      cached      1: the answer has an ETag, and 304 is possible
      parameters  name:kind ...; required ones name!:kind. Of the path and the query; of the JSON body where
                  the method is POST or PUT. Kinds: id, text, words, number, numbers, bool, time, array.
                  Each operation of the broker also takes min_position and timeout_ms.
      answer      name:type ... of the JSON object, besides "position"; "?" where it may be absent; types as
                  in openapi.c. "" where the answer is no such object
*/
#define HTTP_ROUTES(X) \
    X (TASKS, HTTP_GET, "/v1/tasks", OPERATION, "task.list", QUERY, 1, LIST_PARAMS, LIST_ANSWER, \
        "List tasks, newest first; all pages show one moment") \
    X (TASKS_SEARCH, HTTP_POST, "/v1/tasks/search", OPERATION, "task.list", QUERY, 0, LIST_PARAMS, LIST_ANSWER, \
        "The same as GET /v1/tasks, for filters that are too long for a URL") \
    X (TASK, HTTP_GET, "/v1/tasks/{task_id}", OPERATION, "task.get", QUERY, 1, "task_id!:id at:time", \
        "task:Task heard_at:time? owner:object? erased:object?", "The full record of a task, now or at a position or time") \
    X (TASK_STATUS, HTTP_GET, "/v1/tasks/{task_id}/status", OPERATION, "task.status", QUERY, 1, "task_id!:id", \
        "task:Task source:string heard_at:time? owner:object?", "The live record of a task") \
    X (TASK_STATUSES, HTTP_POST, "/v1/tasks/statuses", OPERATION, "task.statuses", QUERY, 0, "task_ids!:words", \
        "statuses:[object]", "The live records of up to 500 tasks") \
    X (TASK_HISTORY, HTTP_GET, "/v1/tasks/{task_id}/history", OPERATION, "task.history", QUERY, 1, \
        "task_id!:id types:words order:text" PAGE_PARAMS, "history:[History] next:cursor", \
        "Every change of a task, oldest first") \
    X (TASK_OUTPUTS, HTTP_GET, "/v1/tasks/{task_id}/outputs", OPERATION, "task.outputs", QUERY, 1, \
        "task_id!:id types:words order:text" PAGE_PARAMS, "outputs:[Output] next:cursor", \
        "What a task printed or produced, oldest first") \
    X (TASK_OUTPUT, HTTP_GET, "/v1/tasks/{task_id}/outputs/{output_id}", OUTPUT, "events.read", QUERY, 1, \
        "task_id!:id output_id!:number", "", "The bytes of one output, also in part (Range)") \
    X (TASK_METRICS, HTTP_GET, "/v1/tasks/{task_id}/metrics", OPERATION, "task.metrics", QUERY, 1, \
        "task_id!:id names:words order:text" PAGE_PARAMS, "metrics:[Metric] next:cursor", "Metrics recorded for a task") \
    X (TASK_SESSIONS, HTTP_GET, "/v1/tasks/{task_id}/sessions", OPERATION, "session.list", QUERY, 1, \
        "task_id!:id states:words" PAGE_PARAMS, "sessions:[Session] next:cursor", "The sessions of a task, newest first") \
    X (TASK_RECOVER, HTTP_POST, "/v1/tasks/{task_id}/recover", OPERATION, "task.recover", OPERATE, 0, "task_id!:id", \
        "task:Task", "Write the record of a task from the ledger to Redis again") \
    X (TASK_ERASE, HTTP_POST, "/v1/tasks/{task_id}/erase", OPERATION, "task.erase", ADMIN, 0, "task_id!:id reason!:text", \
        "task_id:string time:time erased_position:integer reason:string events:integer erasing:boolean?", "Remove the contents of an ended task for ever") \
    X (STUCK, HTTP_GET, "/v1/stuck", OPERATION, "task.stuck", QUERY, 0, \
        "silent_s:number limit:number cursor:text total:bool", \
        "tasks:[Task] producers:[object] next:cursor as_of:integer total:integer? total_complete:boolean? " \
        "complete:boolean? looked_to:integer?", "Running tasks without events for long, longest silence first") \
    X (SESSIONS, HTTP_GET, "/v1/sessions", OPERATION, "session.list", QUERY, 1, \
        "states:words task_id:text" PAGE_PARAMS, "sessions:[Session] next:cursor", "List sessions, newest first") \
    X (SESSION_TIMES, HTTP_GET, "/v1/session-times", OPERATION, "session.times", QUERY, 1, \
        "session_id:id states:words task_id:text" PAGE_PARAMS, "times:[object] next:cursor", \
        "How the time of sessions was spent") \
    X (SESSION, HTTP_GET, "/v1/sessions/{session_id}", OPERATION, "session.get", QUERY, 1, "session_id!:id", \
        "session:Session", "One session") \
    X (SESSION_COMMANDS, HTTP_GET, "/v1/sessions/{session_id}/commands", OPERATION, "session.commands", QUERY, 1, \
        "session_id!:id order:text output_offset:number output_length:number" PAGE_PARAMS, COMMANDS_ANSWER, \
        "The commands of a session, oldest first") \
    X (COMMANDS, HTTP_GET, "/v1/commands", OPERATION, "command.list", QUERY, 1, \
        "failed:bool from:time to:time output_offset:number output_length:number" PAGE_PARAMS, COMMANDS_ANSWER, \
        "The commands of all sessions, latest first") \
    X (PREFERENCES, HTTP_GET, "/v1/preferences", OPERATION, "preference.get", QUERY, 1, "user_id:id", \
        "preferences:Preferences", "The preferences of a user") \
    X (EVENTS, HTTP_GET, "/v1/events", OPERATION, "events.read", QUERY, 1, "after:number limit:number types:words", \
        "events:[Event] head:integer next:cursor", "Events after a position, in order") \
    X (PUBLISH, HTTP_POST, "/v1/events", OPERATION, "publish", PUBLISH, 0, \
        "producer!:id events!:array sequence:number restore:bool", \
        "accepted:integer duplicates:integer rejected:[object] sequence:integer", \
        "Publish events; answers when they are durable. With sequence, a repetition is stored once") \
    X (STREAM, HTTP_GET, "/v1/stream", STREAM, "", QUERY, 0, \
        "view:text types:words task_id:words states:words roles:words stats:bool after:number ledger:text", "", \
        "Events as they are committed (Server-Sent Events), from after, or after the field Last-Event-ID") \
    X (STREAM_STATS, HTTP_GET, "/v1/stream/stats", STREAM, "", METRICS, 0, "", "", \
        "The statistics once a second, as with stats=true in /v1/stream, and no events") \
    X (TABLE, HTTP_GET, "/v1/tables/{table}", TABLE, "table.read", QUERY, 0, \
        "table!:text at:number format:text" PAGE_PARAMS, "rows:[object] next:cursor", \
        "A page of a table at one position; with format=ndjson all of it, one row per line") \
    X (REJECTED, HTTP_GET, "/v1/rejected", OPERATION, "rejected.list", QUERY, 1, "producer:id open:bool" PAGE_PARAMS, \
        "rejected:[Rejected] next:cursor", "Refused events with the reasons, oldest first") \
    X (RETRY, HTTP_POST, "/v1/rejected/retry", OPERATION, "rejected.retry", OPERATE, 0, "id:number ids:numbers", \
        "accepted:integer rejected:[object]", "Process refused events again") \
    X (AUDIT, HTTP_GET, "/v1/audit", OPERATION, "audit.list", QUERY, 1, \
        "who:text operation:text outcome:text from:time to:time" PAGE_PARAMS, "events:[Audit] next:cursor", \
        "Who changed something on the broker, and refused access, newest first") \
    X (PRODUCERS, HTTP_GET, "/v1/producers", PRODUCERS, "stats", QUERY, 0, "", \
        "producers:[object] producers_total:integer?", "Producers, those that are present first") \
    X (PRODUCER, HTTP_GET, "/v1/producers/{producer}", OPERATION, "producer.get", PUBLISH, 0, "producer!:id", \
        "producer:object", "The state of a producer, with its last durable sequence") \
    X (STATS, HTTP_GET, "/v1/stats", OPERATION, "stats", METRICS, 0, "", \
        "tasks:object ledger:object ingest:object redis:object requests:object uptime_s:integer", \
        "Statistics of the broker") \
    X (STATS_TASKS, HTTP_GET, "/v1/stats/tasks", OPERATION, "stats.tasks", QUERY, 1, \
        "group_by:text from:time to:time limit:number slowest:number", \
        "groups:[object] slowest:[Task] group_by:string left_out:integer complete:boolean? looked_to:integer?", \
        "Work done between two times, in groups") \
    X (STATS_SERIES, HTTP_GET, "/v1/stats/series", OPERATION, "stats.series", QUERY, 0, \
        "from:time to:time step:text by:text limit:number", "by:string? " SERIES_ANSWER, \
        "What happened per minute, hour or day, also per state, role, provider or model") \
    X (STATS_FAILURES, HTTP_GET, "/v1/stats/failures", OPERATION, "stats.series?by=fingerprint", QUERY, 0, \
        "from:time to:time step:text limit:number", "by:string " SERIES_ANSWER, \
        "Failures by fingerprint, most frequent first, per minute, hour or day") \
    X (STORAGE, HTTP_GET, "/v1/storage", OPERATION, "storage", METRICS, 0, "days:number", \
        "tables:[object] files:[object] file_bytes:integer free_bytes:integer unmeasured_bytes:integer measured_at:time " \
        "days:[object]", "Space on the disk: per table, per other file, and how much each day added") \
    X (ERRORS, HTTP_GET, "/v1/errors", OPERATION, "stats.tasks?group_by=error", QUERY, 1, \
        "from:time to:time limit:number", \
        "groups:[object] slowest:[Task] group_by:string left_out:integer complete:boolean? looked_to:integer?", \
        "The last errors of failed tasks, most frequent first") \
    X (INFO, HTTP_GET, "/v1/info", OPERATION, "info", ANY, 0, "", \
        "version:string protocol:integer ledger:string mode:string started_at:time limits:object endpoints:object " \
        "parts:object losses:[object]", "Version, limits and endpoints of the broker") \
    X (MODE, HTTP_GET, "/v1/mode", OPERATION, "mode", ADMIN, 0, "", "mode:string only_in_redis:integer", \
        "What acks wait for") \
    X (SET_MODE, HTTP_PUT, "/v1/mode", OPERATION, "mode", ADMIN, 0, "mode!:text", "mode:string only_in_redis:integer", \
        "Set what acks wait for: dual, sqlite or redis") \
    X (RECOVER, HTTP_POST, "/v1/recover", OPERATION, "recover", OPERATE, 0, "scope:text", \
        "restored:integer by_state:object", "Write the live records from the ledger to Redis again") \
    X (CHECK, HTTP_POST, "/v1/consistency-check", OPERATION, "consistency.check", OPERATE, 0, "repair:bool", \
        "checked:integer sessions:integer missing:integer extra:integer mismatched:integer repaired:integer " \
        "examples:array consistent:number", "Compare every record in Redis with the ledger") \
    X (BACKUP, HTTP_GET, "/v1/backup", OPERATION, "backup.list", METRICS, 0, "", \
        "repository:string state:string entries:[object] segments:object snapshots:integer snapshot_bytes:integer " \
        "last_error:string?", "The snapshots of the ledger, newest first, and how far the segments go; 503 without the setting backup") \
    X (KEYS_RELOAD, HTTP_POST, "/v1/keys/reload", OPERATION, "keys.reload", ADMIN, 0, "", \
        "added:array revoked:array changed:array keys:integer", "Make the broker read its keys again") \
    X (BACKUP_START, HTTP_POST, "/v1/backup", OPERATION, "backup", OPERATE, 0, "start!:bool", \
        "repository:string state:string number:integer finished:integer snapshots:integer snapshot_bytes:integer", \
        "Take a snapshot of the ledger now; answers when it is begun") \
    X (SESSION_GET, HTTP_GET, "/v1/session", SESSION, "", ANY, 0, "", "", "Whose token or session it is, and its roles") \
    X (SESSION_BEGIN, HTTP_POST, "/v1/session", SESSION, "", ANY, 0, "", "", \
        "Begin a session of a browser: sets a cookie that stands for the token") \
    X (SESSION_END, HTTP_DELETE, "/v1/session", SESSION, "", ANY, 0, "", "", "End that session") \
    X (PROMETHEUS, HTTP_GET, "/metrics", METRICS, "stats", METRICS, 0, "", "", \
        "Metrics for Prometheus, or OpenMetrics where Accept asks for it") \
    X (HEALTHZ, HTTP_GET, "/healthz", HEALTHZ, "", ANY, 0, "", "", "This process answers") \
    X (READYZ, HTTP_GET, "/readyz", READYZ, "stats", ANY, 0, "", "", \
        "The broker answers, and no finding is graver than degraded; 503 otherwise") \
    X (OPENAPI, HTTP_GET, "/openapi.json", OPENAPI, "", ANY, 0, "", "", "This document") \
    X (DASHBOARD, HTTP_GET, "/", DASHBOARD, "", ANY, 0, "", "", "The dashboard, a page for browsers") \
    X (DASHBOARD_FILE, HTTP_GET, "/ui/{version}/{folder}/{file}", DASHBOARD, "", ANY, 0, \
        "version!:text folder!:text file!:text", "", "A file of the dashboard") \
    HTTP_COMPAT_ROUTES (X)

typedef enum {
    HTTP_HANDLER_OPERATION,         // The operation of the broker, its answer as JSON
    HTTP_HANDLER_OUTPUT,            // Raw bytes
    HTTP_HANDLER_TABLE,             // An operation, or all of its pages as NDJSON
    HTTP_HANDLER_PRODUCERS,         // A part of stats
    HTTP_HANDLER_STREAM,
    HTTP_HANDLER_METRICS,
    HTTP_HANDLER_HEALTHZ,
    HTTP_HANDLER_READYZ,
    HTTP_HANDLER_SESSION,
    HTTP_HANDLER_OPENAPI,
    HTTP_HANDLER_DASHBOARD,
    HTTP_HANDLER_COMPAT             // A path of the earlier system
} http_handler_t;

#define HTTP_ROUTE_ENUM(constant, ...) HTTP_ROUTE_##constant,
typedef enum { HTTP_ROUTES (HTTP_ROUTE_ENUM) HTTP_ROUTE_COUNT } http_route_id_t;
#undef HTTP_ROUTE_ENUM

typedef struct {
    http_method_t method;
    const char *path;
    http_handler_t handler;
    const char *operation;
    const char *role;               // In lower case
    bool cached;
    const char *params, *answer, *summary;
} http_route_t;

extern const http_route_t http_routes [HTTP_ROUTE_COUNT];

/*  The route of a method and a path; HEAD is answered as GET. NULL: there is none; then 'allow' lists the
    methods that the path has, or is "".                                     */
const http_route_t *
    http_route_find (http_method_t method, const http_target_t *target, char allow [64]);

/*  The next of the parameters of a route, or of the parts of its answer. 'text' moves on; false at its end.
    Names and kinds are those of the table.                                  */
typedef struct {
    char name [32], kind [24];
    bool required, optional;        // Marked with ! or ?
} http_item_t;
bool
    http_route_next (const char **text, http_item_t *item);

/*  The value of a parameter in the path of a request to that route; data NULL: it is not in the path. A segment "-" stands for
    the parameter of that name in the query, if there is one: so an id "." or ".." can be given, which is no segment. */
http_span_t
    http_route_segment (const http_route_t *self, const http_target_t *target, const char *name);

/*  Does a segment "-" stand for that parameter of the query?                */
bool
    http_route_is_moved (const http_route_t *self, const http_target_t *target, const char *name);

/*  Does the route take its parameters from a JSON body?                     */
static inline bool
http_route_has_body (const http_route_t *self)
{
    return self->method == HTTP_POST || self->method == HTTP_PUT;
}

#endif
