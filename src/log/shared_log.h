/*  shared_log - the log of a ledger in PostgreSQL, which several nodes read and one writes

    One node at a time leads: it appends batches (batch.h), each in one statement that checks its epoch.
    To lead is to raise the epoch. So a writer that was deposed without noticing (a pause, a cut
    connection) cannot append any more, whatever its clock or its lease says; the lease only decides
    when another node tries. All times are those of the server.

    Two properties of PostgreSQL shape this class:

    - A commit that waits for the synchronous standby can end without it: a cancelled wait returns
      success with a warning, a terminated one fails after a local commit. So any warning, error or
      time-out of an append is a doubt: the batch may or may not be in the log. Nothing here cancels a
      statement. In doubt, the connection is dropped; the caller rolls back, leads again, reads what the
      log has after its own end, and only then decides again what is not in it.
    - A row is visible although no standby has it, if the primary restarted while a commit waited.
      So a reader takes batches only up to the number that is known to be safe: that of the last append
      that was confirmed to its writer, or that of the log when a later commit, the take-over
      of a leader, was confirmed.

    One object is one connection, used by one thread; all calls return within the time-out.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SHARED_LOG_H_INCLUDED
#define STELE_SHARED_LOG_H_INCLUDED

#include <stdbool.h>
#include "log/batch.h"

typedef struct stele_shared_log stele_shared_log_t;

#define STELE_NODE_NAME_MAX 48
#define STELE_NODE_ENDPOINTS_MAX 512

typedef struct {
    const char *url;                // postgres:CONNINFO, as libpq takes it
    const char *name;               // Of the log: one per ledger
    const char *node;               // Name of this node: unique among those of the log
    const char *endpoints;          // Where clients reach this node; "" for none
    int64_t lease_ms;               // A writer that is silent for longer may be replaced
    int64_t timeout_ms;             // Longest wait for the server
    bool unreplicated;              // Lead even if commits are not synchronous: an ack then holds only as long as the primary
} stele_shared_log_options_t;

typedef struct {
    char ledger_id [40];
    stele_batch_end_t end;
    int64_t safe;                   // Number of the last batch that readers may take
    char writer [STELE_NODE_NAME_MAX + 1];      // "": it resigned, or there was none
    char endpoints [STELE_NODE_ENDPOINTS_MAX + 1];
    int64_t silent_ms;              // Since its last sign of life
    bool expired;                   // Its lease is over, or it resigned
} stele_log_head_t;

/*  A node of the log, as it noted itself last.                              */
#define STELE_LOG_NODES 32          // Most that are listed
#define STELE_NODE_GONE_S "86400"   // Seconds: a node that was not seen for so long does not keep batches from being removed
typedef struct {
    char name [STELE_NODE_NAME_MAX + 1], role [12], endpoints [STELE_NODE_ENDPOINTS_MAX + 1], version [24];
    int64_t epoch, number, position;    // The end of what it has
    int64_t format;                 // The highest format that it reads
    int64_t silent_ms;              // Since then
} stele_log_node_t;

/*  Copies the options; connects with the first call that needs the server. NULL with a refusal: the
    options are wrong. Caller owns return value.                             */
stele_shared_log_t *
    stele_shared_log_new (const stele_shared_log_options_t *options, stele_refusal_t *refusal);

/*  Does not resign.                                                         */
void
    stele_shared_log_destroy (stele_shared_log_t **self_p);

/*  Text of the last error. Owned by the object.                             */
const char *
    stele_shared_log_error (const stele_shared_log_t *self);

/*  Create the log, and the tables, unless they exist: it starts after 'position' of that ledger. Returns 0;
    STELE_ELEDGER: the log of that name belongs to another ledger; STELE_EUNAVAILABLE. */
int
    stele_shared_log_create (stele_shared_log_t *self, const char *ledger_id, int64_t position);

/*  Read the head. Returns 1; 0: there is no log of that name; STELE_EUNAVAILABLE. */
int
    stele_shared_log_head (stele_shared_log_t *self, stele_log_head_t *head);

/*  -- the writer ------------------------------------------------------------- */

/*  Lead, if the lease of the writer is over, its session has ended, or it is this object. Returns 1: this node leads,
    and all of the log up to *head is safe; 0: another node does, as *head says; STELE_EUNAVAILABLE; STELE_ENOT_FOUND:
    there is no log; STELE_EUNAUTHORIZED: commits are not synchronous, and unreplicated is false. */
int
    stele_shared_log_lead (stele_shared_log_t *self, stele_log_head_t *head);

/*  Append a batch: 'last', 'time_us', 'format', 'data' and 'size' are set, the rest is set here. At most one
    append is outstanding; the bytes stay in place until it has ended. Returns 0, or as _poll. */
int
    stele_shared_log_send (stele_shared_log_t *self, stele_batch_t *batch);

/*  The outcome of the append. Returns
      1                     it is durable
      0                     not yet: wait_ms are over, which may be INT64_MAX
      STELE_EFENCED         another node leads: the batch is not in the log
      STELE_EUNAVAILABLE    in doubt: it may be in the log. The connection is dropped
    After both errors this node does not lead any more.                      */
int
    stele_shared_log_poll (stele_shared_log_t *self, int64_t wait_ms);

/*  Wait, at most wait_ms, for the outcome of an announcement: then _send does not wait for anything. False: not yet, or _send
    has to create a table first.                                             */
bool
    stele_shared_log_settled (stele_shared_log_t *self, int64_t wait_ms);

/*  Of the writer, between appends, at least once per third of the lease: a sign of life. Readers also learn from it
    that the last append is safe. Returns 0, STELE_EFENCED or STELE_EUNAVAILABLE: this node does not lead any more. */
int
    stele_shared_log_renew (stele_shared_log_t *self);

/*  Of the writer, after an append, when no other one follows at once: announce it to readers. Never waits. */
void
    stele_shared_log_announce (stele_shared_log_t *self);

/*  Of the writer: let another node lead at once. Returns 0, or as _renew.   */
int
    stele_shared_log_resign (stele_shared_log_t *self);

/*  Does this node lead, as far as it knows?                                 */
bool
    stele_shared_log_leads (const stele_shared_log_t *self);

/*  Were commits synchronous when this node last tried to lead? Without the option 'unreplicated', a node leads only
    if they are.                                                             */
bool
    stele_shared_log_replicated (const stele_shared_log_t *self);

/*  -- nodes -------------------------------------------------------------------- */

/*  Note that this node lives, and what it has; 'role' is writer or follower. Neither connects nor runs while an append is
    outstanding. Writes at most STELE_LOG_NODES to 'nodes', as they were before. Returns their number, or STELE_EUNAVAILABLE. */
int
    stele_shared_log_note (stele_shared_log_t *self, const char *role, const stele_batch_end_t *end, stele_log_node_t *nodes);

/*  The same without a note; connects.                                       */
int
    stele_shared_log_nodes (stele_shared_log_t *self, stele_log_node_t *nodes);

/*  Name of this node. Owned by the object.                                  */
const char *
    stele_shared_log_node (const stele_shared_log_t *self);

/*  -- readers ------------------------------------------------------------------ */

/*  Batches that were read, which need the log no more.                      */
typedef struct stele_log_page stele_log_page_t;

/*  Read some of the batches after *end, up to number 'upto'. Returns 0 with a page, which has at least one, and which the
    caller owns; STELE_EUNAVAILABLE; STELE_EBEHIND with a refusal: the log begins after *end, since older batches were removed;
    STELE_ELEDGER with a refusal: the batch after *end is missing. Does not connect: what is safe on one server may not be
    on another.                                                              */
int
    stele_shared_log_fetch (stele_shared_log_t *self, const stele_batch_end_t *end, int64_t upto, stele_log_page_t **page,
        stele_refusal_t *refusal);

/*  The next batch of the page, which has to follow *end. Returns 1 with the batch, whose bytes are those of the page; 0: it
    has no more; or as stele_batch_check, with a refusal.                    */
int
    stele_log_page_next (stele_log_page_t *self, const stele_batch_end_t *end, stele_batch_t *batch, stele_refusal_t *refusal);

/*  Number of its last batch.                                                */
int64_t
    stele_log_page_last (const stele_log_page_t *self);
void
    stele_log_page_destroy (stele_log_page_t **self_p);

/*  Call fn for each batch after *end, up to number 'upto', and move *end. Each is checked against the chain first.
    fn returns 0, or a code that ends the reading and is returned: then *end is before that batch. Returns 0, or as
    stele_shared_log_fetch and stele_log_page_next.                          */
typedef int (stele_shared_log_fn) (const stele_batch_t *batch, void *arg);
int
    stele_shared_log_read (stele_shared_log_t *self, stele_batch_end_t *end, int64_t upto,
        stele_shared_log_fn *fn, void *arg, stele_refusal_t *refusal);

/*  The end before the oldest batch that the log has; if batches before that one were removed, it is that batch itself. After
    stele_shared_log_head. Returns 1, 0: the log has none, or STELE_EUNAVAILABLE.      */
int
    stele_shared_log_oldest (stele_shared_log_t *self, stele_batch_end_t *end);

/*  Number of the last batch that has only positions before that one; 0: none. After stele_shared_log_head.  */
int64_t
    stele_shared_log_before (stele_shared_log_t *self, int64_t position);

/*  Remove the batches up to that number, and the notes of nodes that are gone. A node that lacks one of these
    batches cannot follow any more. After stele_shared_log_head. Returns how many were removed, or STELE_EUNAVAILABLE. */
int64_t
    stele_shared_log_trim (stele_shared_log_t *self, int64_t upto);

/*  Position of the last event that the log has, and the time of its commit. After stele_shared_log_head. Returns 1, 0: the log
    has none, or STELE_EUNAVAILABLE.                                         */
int
    stele_shared_log_last_event (stele_shared_log_t *self, int64_t *position, int64_t *time_us);

/*  Of a log that lost its end, and that no node leads: continue after *end, what a ledger has, instead. Batches before it are
    removed: nodes that lack some of those that were lost cannot follow. Returns 1; 0: a node leads, or the log is not shorter;
    or STELE_EUNAVAILABLE: some of the batches before it may remain, until it is done again.   */
int
    stele_shared_log_heal (stele_shared_log_t *self, const stele_batch_end_t *end);

/*  Number of the last batch that is safe to take, as far as it was announced; reads what arrived, never waits.
    Without announcements (a standby, a proxy that drops them) it is that of the last stele_shared_log_head. */
int64_t
    stele_shared_log_safe (stele_shared_log_t *self);

/*  Descriptor that is readable when an announcement or an outcome arrives; -1: no connection.      */
int
    stele_shared_log_fd (const stele_shared_log_t *self);

#endif
