/*  query - answer one request from the ledger

    The state and the functions that the handlers of operations (operations.h) share. Handlers are in
    tasks.c, task_details.c, sessions.c, event_log.c, reports.c, storage.c and stats.c. Each runs inside one snapshot
    of the ledger, whose head is the answer's position.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_QUERY_H_INCLUDED
#define STELE_QUERY_H_INCLUDED

#include <czmq.h>
#include "broker/access/delegate.h"
#include "broker/common/settings.h"
#include "broker/operations/operations.h"
#include "cache/cache.h"
#include "ledger/reader.h"
#include "wire/pack.h"

/*  What requests are answered from. All borrowed: they outlive the actor.   */
typedef struct {
    const stele_settings_t *settings;
    const char *ledger_id;
    int64_t started_at_us;          // When the broker was started
    int64_t head;                   // Of the ledger, now
    bool has_cache;                 // There is a "cache" mailbox
    bool has_pipeline;              // There is a "pipeline" mailbox
} stele_query_args_t;

/*  The state from which a worker, or the router, answers. Only its own thread uses it; what it points
    to is its own or constant.                                               */
struct stele_query {
    stele_reader_t *reader;
    stele_live_t *live;             // NULL: no Redis
    const stele_settings_t *settings;
    const char *ledger_id;
    int64_t started_at_us;          // Wall clock
    int64_t opened_us;              // Steady clock: the same moment, or nearly
    int64_t opened_head;            // Of the ledger, then
    bool has_cache;
    stele_record_t *record;         // To read a live record into
    int64_t head;                   // Of the snapshot that is being answered from
    bool together;                  // It is that of several requests
    const void *context;            // One map from the router: what it and the other
    size_t context_size;            //    actors reported (stats, info); size 0: none
    const stele_identity_t *identity;   // Who requests what is being answered
    stele_delegate_t delegate;
};

/*  Open the ledger, and Redis where there is a cache. Non-zero: the reason is in the refusal;
    close it in either case.                                                 */
int
    stele_query_open (stele_query_t *self, const stele_query_args_t *args, stele_refusal_t *refusal);
void
    stele_query_close (stele_query_t *self);

/*  Answer one request that stele_operation_check has passed and that has a handler: packs one
    whole answer into the cleared 'pack'. 'key' is the identity of the sender's key. */
void
    stele_query_answer (stele_query_t *self, const stele_identity_t *key, const void *request, size_t size,
        stele_pack_t *pack);

/*  The same with frames; 'pack' is a scratch buffer. The caller owns the answer. */
zframe_t *
    stele_query_reply (stele_query_t *self, const stele_identity_t *key, zframe_t *request, stele_pack_t *pack);

/*  Answer several requests from one snapshot, and with one question to Redis: between begin and end, first announce each
    request task.status, then answer them. An announced one need not be asked for. If that is not possible now, each is answered
    as if it were alone.                                                     */
void
    stele_query_begin_together (stele_query_t *self);
void
    stele_query_expect (stele_query_t *self, const void *request, size_t size);
void
    stele_query_end_together (stele_query_t *self);

/*  Is the broker in that mode? The context has it where it is not dual.     */
bool
    stele_query_in_mode (const stele_query_t *self, const char *word);

/*  The refusal for the code that a reader returned.                                  */
int
    stele_query_failed (stele_query_t *self, stele_params_t *params, int code);

/*  -- pages of rows, for every list -------------------------------------------------- */

/*  Rows packed as an array until they get too large for one answer.         */
typedef struct {
    stele_pack_t *pack;
    size_t size_max;                // Of the answer: no row begins beyond it
    size_t mark, start;             // Of the array, of its first row
    size_t count;
    int64_t last;                   // Key of the last row, for the next page
    stele_field_t key;              // The field that has the key; NONE: not known
    bool full;                      // Ended by size_max: more rows follow
} stele_rows_t;

/*  Pack the key 'name' and open its array.                                  */
void
    stele_rows_open (stele_rows_t *self, stele_query_t *query, stele_pack_t *pack,
        const char *name, stele_field_t key);

/*  Drop the rows, to read the page again with a smaller limit.              */
void
    stele_rows_again (stele_rows_t *self);

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
    bool wanted;
    int64_t offset, length;
    stele_rows_t *rows;
    size_t count;
    int64_t sizes [STELE_QUERY_RANGES];  // Of the whole outputs; -1: none
} stele_query_range_t;

void
    stele_query_read_range (stele_params_t *params, stele_query_range_t *range);

/*  A stele_row_fn that adds one row with its output cut; arg is the range.  */
int
    stele_query_add_ranged (const stele_record_t *row, void *range);

/*  Pack "output_sizes" where a range was requested.                         */
void
    stele_query_pack_ranges (const stele_query_range_t *self, stele_pack_t *pack);

/*  The parameter 'limit' of a list.                                         */
int64_t
    stele_query_limit (stele_query_t *self, stele_params_t *params);

/*  -- to whom tasks belong (owners.c) ------------------------------------------------- */

/*  Pack "owner" of an answer about one task: its producer's last sign of life; nothing if the record
    has no producer.                                                         */
void
    stele_query_pack_owner (stele_query_t *self, stele_span_t producer, stele_pack_t *pack);

/*  The producers of the rows of a page, each once.                          */
typedef struct {
    stele_rows_t *rows;             // Set before the first row is added
    zhashx_t *names;
} stele_owners_t;

void
    stele_owners_open (stele_owners_t *self);
void
    stele_owners_close (stele_owners_t *self);

/*  A stele_row_fn that adds one row to 'rows', and its producer; arg is the stele_owners_t. */
int
    stele_owners_add (const stele_record_t *row, void *owners);

/*  Pack "producers": the last sign of life of each.                         */
void
    stele_owners_pack (stele_owners_t *self, stele_query_t *query, stele_pack_t *pack);

#endif
