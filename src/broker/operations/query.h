/*  query - the operations of protocol section 4, and how each is answered

    One table: the name of an operation, where the front sends it, and the
    handler of those that a worker answers. Handlers live in query_*.c, one
    idea a file. Each runs inside one snapshot of the ledger, whose head is
    the answer's position.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_QUERY_H_INCLUDED
#define STELE_QUERY_H_INCLUDED

#include "broker/operations/params.h"
#include "broker/requests/requests.h"
#include "broker/common/settings.h"
#include "cache/cache.h"
#include "ledger/reader.h"
#include "wire/pack.h"

/*  X (name, route, handler or NULL)                                         */
#define STELE_OPS(X) \
    X ("ping",              WORKER, stele_query_ping) \
    X ("info",              INFORM, stele_query_info) \
    X ("stats",             GATHER, stele_query_stats) \
    X ("stats.tasks",       WORKER, stele_query_stats_tasks) \
    X ("publish",           WRITER, NULL) \
    X ("task.status",       POINT,  stele_query_task_status) \
    X ("task.get",          WORKER, stele_query_task_get) \
    X ("task.list",         WORKER, stele_query_task_list) \
    X ("task.stuck",        WORKER, stele_query_task_stuck) \
    X ("task.history",      WORKER, stele_query_task_history) \
    X ("task.outputs",      WORKER, stele_query_task_outputs) \
    X ("task.metrics",      WORKER, stele_query_task_metrics) \
    X ("task.recover",      CACHE,  NULL) \
    X ("session.list",      WORKER, stele_query_session_list) \
    X ("session.get",       WORKER, stele_query_session_get) \
    X ("session.commands",  WORKER, stele_query_session_commands) \
    X ("session.times",     WORKER, stele_query_session_times) \
    X ("command.list",      WORKER, stele_query_command_list) \
    X ("preference.get",    WORKER, stele_query_preference_get) \
    X ("events.read",       WORKER, stele_query_events_read) \
    X ("table.read",        WORKER, stele_query_table_read) \
    X ("rejected.list",     WORKER, stele_query_rejected_list) \
    X ("rejected.retry",    WRITER, NULL) \
    X ("producer.get",      WRITER, NULL) \
    X ("mode",              WRITER, NULL) \
    X ("recover",           CACHE,  NULL) \
    X ("consistency.check", CACHE,  NULL)

typedef enum {
    STELE_ROUTE_WORKER,             // An idle worker
    STELE_ROUTE_POINT,              // The front itself while that is quick; with Redis a worker
    STELE_ROUTE_INFORM,             // A worker, with what the front knows
    STELE_ROUTE_GATHER,             // Every mailbox, then a worker with what they know too
    STELE_ROUTE_WRITER,             // The "writer" mailbox
    STELE_ROUTE_CACHE               // The "cache" mailbox
} stele_route_t;

typedef struct stele_query stele_query_t;

/*  Packs the entries of an answer after "ok" and "position". Returns their number, or
    a code with the refusal in 'params'; what it packed is then taken back.  */
typedef int (stele_query_fn) (stele_query_t *self, stele_params_t *params, stele_pack_t *pack);

typedef struct {
    const char *name;
    stele_route_t route;
    stele_query_fn *handler;
} stele_operation_t;

/*  Does the answer also say what the front knows, its mode among it?        */
static inline bool
stele_route_informs (stele_route_t route)
{
    return route == STELE_ROUTE_INFORM || route == STELE_ROUTE_GATHER;
}

extern const stele_operation_t stele_operations [];
extern const size_t stele_operation_count;

/*  The names of all, each after a space: for who asked for another          */
extern const char stele_operation_names [];

/*  The operation of that name, NULL where there is none.                    */
const stele_operation_t *
    stele_operation_find (const char *name, size_t size);

/*  What a worker, or the front, answers from. Only its own thread uses it; what it points
    to is its own or constant.                                               */
struct stele_query {
    stele_reader_t *reader;
    stele_live_t *live;             // NULL: no Redis
    const stele_settings_t *settings;
    const char *ledger_id;
    int64_t started_at_us;          // Wall clock
    int64_t opened_us;              // Steady clock: the same moment, or nearly
    bool has_cache;
    stele_record_t *record;         // To read a live record into
    int64_t head;                   // Of the snapshot that is being answered from
    const void *context;            // One map from the front: what it and the other
    size_t context_size;            //    actors know (stats, info); size 0: none
};

/*  Open the ledger, and Redis where there is a cache. Non-zero: the reason in the refusal; to be
    closed all the same.                                                     */
int
    stele_query_open (stele_query_t *self, const stele_requests_args_t *args, stele_refusal_t *refusal);
void
    stele_query_close (stele_query_t *self);

/*  Answer one request, whatever it is: packs one whole answer into the cleared 'pack'. */
void
    stele_query_answer (stele_query_t *self, const void *request, size_t size,
        stele_pack_t *pack);

/*  The same as frames; 'pack' is room for it. The caller owns the answer.   */
zframe_t *
    stele_query_reply (stele_query_t *self, zframe_t *request, stele_pack_t *pack);

/*  Is the broker in that mode? The front says so where it is not dual.       */
bool
    stele_query_in_mode (const stele_query_t *self, const char *word);

/*  The refusal for what a reader returned.                                  */
int
    stele_query_failed (stele_query_t *self, stele_params_t *params, int code);

stele_query_fn stele_query_ping, stele_query_info, stele_query_stats, stele_query_stats_tasks;
stele_query_fn stele_query_task_stuck, stele_query_session_times, stele_query_command_list;
stele_query_fn stele_query_task_status, stele_query_task_get, stele_query_task_list;
stele_query_fn stele_query_task_history, stele_query_task_outputs, stele_query_task_metrics;
stele_query_fn stele_query_session_list, stele_query_session_get, stele_query_session_commands;
stele_query_fn stele_query_preference_get, stele_query_events_read, stele_query_rejected_list;
stele_query_fn stele_query_table_read;

/*  -- pages: what every list has -------------------------------------------------- */

/*  Rows packed as an array until they get too large for one answer.         */
typedef struct {
    stele_pack_t *pack;
    size_t size_max;                // Of the answer: no row begins beyond it
    size_t mark;
    size_t count;
    int64_t last;                   // Key of the last row, for the next page
    stele_field_t key;              // The field that has the key; NONE: not known
    bool full;                      // Ended by size_max: more rows follow
} stele_rows_t;

/*  Pack the key 'name' and open its array.                                  */
void
    stele_rows_open (stele_rows_t *self, stele_query_t *query, stele_pack_t *pack,
        const char *name, stele_field_t key);

/*  A stele_row_fn that adds one row; arg is the stele_rows_t.               */
int
    stele_rows_add (const stele_record_t *row, void *rows);

/*  Close the array, then pack "next": 'cursor', or nil where it is 0.       */
void
    stele_rows_close (stele_rows_t *self);
void
    stele_rows_next (stele_rows_t *self, int64_t cursor);

/*  The parameters output_offset and output_length: a part of each output instead of the whole. */
#define STELE_QUERY_RANGES 1000
typedef struct {
    bool asked;
    int64_t offset, length;
    stele_rows_t *rows;
    size_t count;
    int64_t sizes [STELE_QUERY_RANGES];  // Of the whole outputs, -1: there was none
} stele_query_range_t;

void
    stele_query_read_range (stele_params_t *params, stele_query_range_t *range);

/*  A stele_row_fn that adds one row with its output cut; arg is the range.  */
int
    stele_query_add_ranged (const stele_record_t *row, void *range);

/*  Pack "output_sizes" where a range was asked for. Returns the entries: 1 or 0. */
int
    stele_query_pack_ranges (const stele_query_range_t *self, stele_pack_t *pack);

/*  The parameter 'limit' of a list.                                         */
int64_t
    stele_query_limit (stele_query_t *self, stele_params_t *params);

#endif
