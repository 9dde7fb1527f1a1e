/*  operations - the table of all requests of clients (protocol section 4)

    One row per operation: its name, the actor that answers it, the role that it requires, its
    handler and its parameters. To add one, add a row, a row in scope.h, a handler where the route leads, and
    a row in doc/PROTOCOL.md; tests/conformance/test_operations.py then sends it with every
    possible error.

    The router checks each request against its row once, when it arrives. Behind the router a
    request has the required parameters and only values of the right type: handlers check what
    depends on the value (ranges, words), with the getters of params.h.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_OPERATIONS_H_INCLUDED
#define STELE_OPERATIONS_H_INCLUDED

#include "broker/access/identity.h"
#include "broker/operations/params.h"
#include "broker/operations/scope.h"
#include "wire/pack.h"

/*  X (constant, name, route, role, handler, parameters ...)
    The handler is that of a worker; the writer and the cache have their own tables by constant.
    Parameters: NEEDS (name, kind), TAKES (name, kind) for an optional one, or NONE.      */
#define STELE_OPERATIONS(X) \
    X (PING,              "ping",              WORKER, ANY,     stele_operation_ping, NONE) \
    X (INFO,              "info",              INFORM, ANY,     stele_operation_info, NONE) \
    X (STATS,             "stats",             GATHER, METRICS, stele_operation_stats, NONE) \
    X (STATS_TASKS,       "stats.tasks",       WORKER, QUERY,   stele_operation_stats_tasks, \
        TAKES ("group_by", TEXT), TAKES ("from", TIME), TAKES ("to", TIME), \
        TAKES ("limit", NUMBER), TAKES ("slowest", NUMBER)) \
    X (STATS_SERIES,      "stats.series",      WORKER, QUERY,   stele_operation_stats_series, \
        TAKES ("from", TIME), TAKES ("to", TIME), TAKES ("step", TEXT), TAKES ("by", TEXT), \
        TAKES ("limit", NUMBER)) \
    X (STORAGE,           "storage",           WORKER, METRICS, stele_operation_storage, \
        TAKES ("days", NUMBER)) \
    X (PUBLISH,           "publish",           WRITER, PUBLISH, NULL, \
        NEEDS ("producer", NAME), NEEDS ("events", ARRAY), \
        TAKES ("sequence", NUMBER), TAKES ("restore", BOOL)) \
    X (TASK_STATUS,       "task.status",       POINT,  QUERY,   stele_operation_task_status, \
        NEEDS ("task_id", ID)) \
    X (TASK_STATUSES,     "task.statuses",     WORKER, QUERY,   stele_operation_task_statuses, \
        NEEDS ("task_ids", IDS)) \
    X (TASK_GET,          "task.get",          WORKER, QUERY,   stele_operation_task_get, \
        NEEDS ("task_id", ID), TAKES ("at", TIME)) \
    X (TASK_LIST,         "task.list",         WORKER, QUERY,   stele_operation_task_list, \
        TAKES ("states", TEXTS), TAKES ("roles", TEXTS), TAKES ("providers", TEXTS), \
        TAKES ("producers", TEXTS), TAKES ("interrupted", BOOL), \
        TAKES ("models", TEXTS), TAKES ("user_id", TEXT), TAKES ("parent_id", TEXT), \
        TAKES ("date_from", TIME), TAKES ("date_to", TIME), \
        TAKES ("created_from", TIME), TAKES ("created_to", TIME), \
        TAKES ("updated_from", TIME), TAKES ("updated_to", TIME), \
        TAKES ("completed_from", TIME), TAKES ("completed_to", TIME), \
        TAKES ("has_error", BOOL), TAKES ("search", TEXT), TAKES ("contains", TEXT), \
        TAKES ("order", TEXT), TAKES ("limit", NUMBER), TAKES ("cursor", TEXT), TAKES ("offset", NUMBER), \
        TAKES ("total", BOOL), TAKES ("at", TIME)) \
    X (TASK_STUCK,        "task.stuck",        WORKER, QUERY,   stele_operation_task_stuck, \
        TAKES ("silent_s", NUMBER), TAKES ("limit", NUMBER), TAKES ("cursor", TEXT), \
        TAKES ("total", BOOL)) \
    X (TASK_HISTORY,      "task.history",      WORKER, QUERY,   stele_operation_task_history, \
        NEEDS ("task_id", ID), TAKES ("types", TEXTS), TAKES ("order", TEXT), \
        TAKES ("limit", NUMBER), TAKES ("cursor", NUMBER)) \
    X (TASK_OUTPUTS,      "task.outputs",      WORKER, QUERY,   stele_operation_task_outputs, \
        NEEDS ("task_id", ID), TAKES ("types", TEXTS), TAKES ("order", TEXT), \
        TAKES ("limit", NUMBER), TAKES ("cursor", NUMBER)) \
    X (TASK_METRICS,      "task.metrics",      WORKER, QUERY,   stele_operation_task_metrics, \
        NEEDS ("task_id", ID), TAKES ("names", TEXTS), TAKES ("order", TEXT), \
        TAKES ("limit", NUMBER), TAKES ("cursor", NUMBER)) \
    X (TASK_RECOVER,      "task.recover",      CACHE,  OPERATE, NULL, \
        NEEDS ("task_id", ID)) \
    X (TASK_ERASE,        "task.erase",        WRITER, ADMIN,   NULL, \
        NEEDS ("task_id", ID), NEEDS ("reason", TEXT)) \
    X (SESSION_LIST,      "session.list",      WORKER, QUERY,   stele_operation_session_list, \
        TAKES ("states", TEXTS), TAKES ("task_id", TEXT), \
        TAKES ("limit", NUMBER), TAKES ("cursor", NUMBER)) \
    X (SESSION_GET,       "session.get",       WORKER, QUERY,   stele_operation_session_get, \
        NEEDS ("session_id", ID)) \
    X (SESSION_COMMANDS,  "session.commands",  WORKER, QUERY,   stele_operation_session_commands, \
        NEEDS ("session_id", ID), TAKES ("order", TEXT), \
        TAKES ("limit", NUMBER), TAKES ("cursor", NUMBER), \
        TAKES ("output_offset", NUMBER), TAKES ("output_length", NUMBER)) \
    X (SESSION_TIMES,     "session.times",     WORKER, QUERY,   stele_operation_session_times, \
        TAKES ("session_id", ID), TAKES ("states", TEXTS), TAKES ("task_id", TEXT), \
        TAKES ("limit", NUMBER), TAKES ("cursor", NUMBER)) \
    X (COMMAND_LIST,      "command.list",      WORKER, QUERY,   stele_operation_command_list, \
        TAKES ("failed", BOOL), TAKES ("from", TIME), TAKES ("to", TIME), \
        TAKES ("limit", NUMBER), TAKES ("cursor", NUMBER), \
        TAKES ("output_offset", NUMBER), TAKES ("output_length", NUMBER)) \
    X (PREFERENCE_GET,    "preference.get",    WORKER, QUERY,   stele_operation_preference_get, \
        TAKES ("user_id", ID)) \
    X (EVENTS_READ,       "events.read",       WORKER, QUERY,   stele_operation_events_read, \
        TAKES ("after", NUMBER), TAKES ("limit", NUMBER), TAKES ("types", TEXTS)) \
    X (TABLE_READ,        "table.read",        WORKER, QUERY,   stele_operation_table_read, \
        NEEDS ("table", TEXT), TAKES ("at", NUMBER), \
        TAKES ("limit", NUMBER), TAKES ("cursor", NUMBER)) \
    X (REJECTED_LIST,     "rejected.list",     WORKER, QUERY,   stele_operation_rejected_list, \
        TAKES ("producer", ID), TAKES ("open", BOOL), \
        TAKES ("limit", NUMBER), TAKES ("cursor", NUMBER)) \
    X (REJECTED_RETRY,    "rejected.retry",    WRITER, OPERATE, NULL, \
        TAKES ("id", NUMBERS), TAKES ("ids", NUMBERS)) \
    X (PRODUCER_GET,      "producer.get",      WRITER, PUBLISH, NULL, \
        NEEDS ("producer", NAME)) \
    X (AUDIT_LIST,        "audit.list",        WORKER, QUERY, stele_operation_audit_list, \
        TAKES ("who", TEXT), TAKES ("operation", TEXT), TAKES ("outcome", TEXT), \
        TAKES ("from", TIME), TAKES ("to", TIME), \
        TAKES ("limit", NUMBER), TAKES ("cursor", NUMBER)) \
    X (MODE,              "mode",              WRITER, ADMIN,   NULL, \
        TAKES ("mode", TEXT)) \
    X (BACKUP,            "backup",            BACKUP, OPERATE, NULL, \
        TAKES ("start", BOOL)) \
    X (BACKUP_LIST,       "backup.list",       BACKUP, METRICS, NULL, NONE) \
    X (RECOVER,           "recover",           CACHE,  OPERATE, NULL, \
        TAKES ("scope", TEXT)) \
    X (KEYS_RELOAD,       "keys.reload",       WORKER, ADMIN,   stele_operation_keys_reload, NONE) \
    X (CONSISTENCY_CHECK, "consistency.check", CACHE,  OPERATE, NULL, \
        TAKES ("repair", BOOL))

/*  X (constant, name): further requests among the mailboxes of the actors. No client can send them:
    the router does not have these names.                                    */
#define STELE_ACTOR_OPERATIONS(X) \
    X (FOLLOWER, "follower")            /*  To the writer: save a follower's cursor  */ \
    X (AUDIT,    "audit")               /*  To the writer: record an audit event (audit.h)  */ \
    X (ARCHIVE,  "archive")             /*  To the writer: replace what was copied by stubs*/ \
    X (PAUSE,    "pause")               /*  To the cache: the mode has changed  */

#define STELE_OPERATION_ENUM(constant, ...) STELE_OPERATION_##constant,
typedef enum {
    STELE_OPERATIONS (STELE_OPERATION_ENUM)
    STELE_OPERATION_REQUESTS,           // So many can be requested
    STELE_OPERATION_BEFORE_ACTORS = STELE_OPERATION_REQUESTS - 1,
    STELE_ACTOR_OPERATIONS (STELE_OPERATION_ENUM)
    STELE_OPERATION_COUNT,
    STELE_OPERATION_NONE = -1
} stele_operation_id_t;
#undef STELE_OPERATION_ENUM

/*  Who answers                                                              */
typedef enum {
    STELE_ROUTE_WORKER,             // An idle worker
    STELE_ROUTE_POINT,              // The router itself while that is quick; with Redis a worker
    STELE_ROUTE_INFORM,             // A worker, with the statistics of the router
    STELE_ROUTE_GATHER,             // Every mailbox, then a worker with their statistics too
    STELE_ROUTE_WRITER,             // The "writer" mailbox
    STELE_ROUTE_CACHE,              // The "cache" mailbox
    STELE_ROUTE_BACKUP              // The "backup" mailbox
} stele_route_t;

typedef struct stele_query stele_query_t;

/*  Packs the keys of an answer after "ok" and "position". Returns 0, or a code with the refusal
    in 'params'; what it packed is then dropped.                             */
typedef int (stele_operation_fn) (stele_query_t *self, stele_params_t *params, stele_pack_t *pack);

typedef struct {
    const char *name;
    stele_route_t route;
    stele_role_t role;              // That the sender of the request needs
    stele_scope_t scope;            // Of a sender that is bound to users
    stele_operation_fn *handler;    // NULL: not answered by a worker
    stele_param_t params [STELE_PARAMS_MAX + 1];    // Until one without a name
} stele_operation_t;

/*  STELE_OPERATION_REQUESTS rows, by constant                               */
extern const stele_operation_t stele_operations [];

/*  The operation of that name, NULL where there is none.                    */
const stele_operation_t *
    stele_operation_find (const char *name, size_t size);

/*  Check the bytes of one request: well-formed, an operation of the table, each parameter of its
    type, the required ones present. Returns the operation, NULL where the request names none of
    them; whether it may be run is params->refusal.code == 0. Names that the operation does not
    take are added to 'ignored', an array; see stele_params_match. The bytes are borrowed.   */
const stele_operation_t *
    stele_operation_check (stele_params_t *params, const void *data, size_t size,
        stele_ignored_t *ignored);

/*  May a sender that is bound to users request it at all? Returns 0, or STELE_EUNAUTHORIZED with the
    refusal. params->identity is set.                                        */
int
    stele_operation_check_scope (const stele_operation_t *self, stele_params_t *params);

/*  For an actor with a mailbox: which operation is that, one of the table or of
    STELE_ACTOR_OPERATIONS? 'data' is a checked map.                         */
stele_operation_id_t
    stele_operation_id (const void *data, size_t size);

/*  Does the answer also contain entries of the router, such as its mode?   */
static inline bool
stele_route_informs (stele_route_t route)
{
    return route == STELE_ROUTE_INFORM || route == STELE_ROUTE_GATHER;
}

#define STELE_OPERATION_HANDLER(constant, name, route, role, handler, ...) \
    STELE_OPERATION_HANDLER_##route (handler)
#define STELE_OPERATION_HANDLER_WORKER(handler) stele_operation_fn handler;
#define STELE_OPERATION_HANDLER_POINT(handler)  stele_operation_fn handler;
#define STELE_OPERATION_HANDLER_INFORM(handler) stele_operation_fn handler;
#define STELE_OPERATION_HANDLER_GATHER(handler) stele_operation_fn handler;
#define STELE_OPERATION_HANDLER_WRITER(handler)
#define STELE_OPERATION_HANDLER_CACHE(handler)
#define STELE_OPERATION_HANDLER_BACKUP(handler)
STELE_OPERATIONS (STELE_OPERATION_HANDLER)

#endif
