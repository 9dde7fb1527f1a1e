/*  ledger - the writer: the only object that changes a ledger

    A ledger has a path and one writer, used by one thread. stele_reader_t
    (reader.h) reads it, from any number of threads and processes. What is on the
    disk, and how, is up to the engine in src/sqlite/: this interface is about
    events, positions, filters and errors only.

    A batch is begin, any number of appends and other changes, commit. When any
    of them returns a storage error, the caller rolls back: then nothing of the batch has
    happened, on the disk or in this object. A transient error (stele_error_is_transient:
    full, busy, no memory) may be retried; after any other one the contents of the
    disk are unknown, and the process stops without an ack.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LEDGER_H_INCLUDED
#define STELE_LEDGER_H_INCLUDED

#include <sys/types.h>
#include "model/lifecycle.h"
#include "model/record.h"
#include "model/refusal.h"
#include "ledger/reader.h"

typedef struct stele_ledger stele_ledger_t;

/*  Checks of a start before it uses the ledger                        */
typedef enum {
    STELE_CHECK_NONE,
    STELE_CHECK_QUICK,              // Structure of a small ledger; of a larger one (over 32 MiB) what
                                    // every start needs, and that the newest events are all there
    STELE_CHECK_FULL                // Structure and contents: minutes to hours, depending on the size
} stele_check_t;

/*  Open the ledger at 'path', create or migrate it, check it. Caller owns return
    value. NULL: the reason is in the refusal (STELE_ELEDGER, EBUSY, EIO, ...).
    At most one process may have it open for writing.
    STELE_EBEHIND: it is shorter than what was acked. Then no file was changed, so that
    the right ones can be restored.                                          */
stele_ledger_t *
    stele_ledger_open (const char *path, stele_check_t check, stele_refusal_t *refusal);

/*  Returns the last position that another store (Redis) has of this ledger, 0 for none,
    and writes the name of that store to 'name'.                             */
typedef int64_t (stele_last_position_fn) (const char *ledger_id, char *name, size_t name_size, void *arg);

typedef struct {
    stele_check_t check;
    stele_last_position_fn *last_position;      // NULL: no other store
    void *last_position_arg;
    bool accept_loss;               // Open a ledger that is behind: record what is missing as lost
                                    // (stele_reader_losses). Positions are then assigned a second
                                    // time, so the ledger gets a new id
    mode_t file_mode;               // Of the ledger and the files next to it; 0: 0600
    int64_t log_bytes;              // Of the write-ahead log, unless a reader holds it; 0: 128 MiB
    bool shared;                    // It folds a shared log, from which it gets what it lacks: do not
                                    // compare it with its high-water mark and the other store
} stele_ledger_options_t;

/*  The same with options.                                                   */
stele_ledger_t *
    stele_ledger_open_with (const char *path, const stele_ledger_options_t *options,
        stele_refusal_t *refusal);

/*  The loss that was accepted at the open, as text for a person; NULL: none. Owned by the
    ledger.                                                                  */
const char *
    stele_ledger_loss (const stele_ledger_t *self);

/*  What the open migrated, as text for the log; NULL: nothing. Owned by the ledger. */
const char *
    stele_ledger_migration (const stele_ledger_t *self);

/*  The next message for the operator of the broker about the ledger's files and times, as text;
    NULL: no more. Owned by the ledger.                                      */
const char *
    stele_ledger_notice (stele_ledger_t *self);

/*  After a storage error: if the reason is that files of the ledger were removed, replaced or moved
    while it was open, save what they held. Returns false if that was not the reason; otherwise
    prints where the events are now and what to do. May take minutes for a large ledger, and calls the
    function again and again meanwhile. begin_rescue only returns whether that is the reason; from then on
    stele_ledger_rescue_state (process.h) is 1.                              */
typedef void (stele_rescue_fn) (void *arg);
bool
    stele_ledger_begin_rescue (const stele_ledger_t *self);
bool
    stele_ledger_rescue (stele_ledger_t *self, stele_rescue_fn *fn, void *arg, char *text, size_t size);

/*  Record everything that was acked after the head as an accepted loss, with this evidence, and give
    the ledger a new id. Returns 0, or a code with a refusal.                */
int
    stele_ledger_give_up (stele_ledger_t *self, const char *evidence, stele_refusal_t *refusal);

/*  The same for a ledger that was restored as of an earlier moment: what it had from its head up to 'last' is lost. */
int
    stele_ledger_cut (stele_ledger_t *self, int64_t last, const char *evidence, stele_refusal_t *refusal);

/*  The start of the broker failed: if this ledger was created by its open and nothing was committed,
    the close removes it.                                                    */
void
    stele_ledger_discard (stele_ledger_t *self);

/*  Roll back an open batch and close.                                       */
void
    stele_ledger_close (stele_ledger_t **self_p);

/*  Id of this ledger (a UUID), assigned at its creation. Owned by the ledger. */
const char *
    stele_ledger_id (const stele_ledger_t *self);

/*  Position of the last committed event; 0: the ledger is empty.            */
int64_t
    stele_ledger_head (const stele_ledger_t *self);

/*  Position of the last event of the open batch: the head after its commit. */
int64_t
    stele_ledger_last (const stele_ledger_t *self);

/*  Text of the last storage error. Owned by the ledger.                     */
const char *
    stele_ledger_error (const stele_ledger_t *self);

/*  -- batches ---------------------------------------------------------------- */

int
    stele_ledger_begin (stele_ledger_t *self);

/*  Make the batch durable: on return 0 it is on stable storage, in files that are still at the path of
    the ledger. Returns after the write-ahead log is synced (sqlite/write/open.c: synchronous=FULL);
    the high-water mark is written, not synced. 'now_us' is the time of the commit (stele_reader_commit_time). */
int
    stele_ledger_commit (stele_ledger_t *self, int64_t now_us);

void
    stele_ledger_rollback (stele_ledger_t *self);

/*  A hint, never needed for correctness: the events of this message, any bytes, may be appended
    soon, so preparing them (compression) may start on another thread. The bytes must stay in place
    until stele_ledger_done, which has to follow every offer.                */
void
    stele_ledger_offer (stele_ledger_t *self, const void *message, size_t size);
void
    stele_ledger_done (stele_ledger_t *self, const void *message);

/*  Append one checked event (stele_event_decode_record; 'time' must be set).
    'producer' is an id of stele_ledger_producer_save, or 0. Returns:
      1   stored, its position in *position
      0   a duplicate of a stored event (an identical task.created): nothing stored
      STELE_EILLEGAL, STELE_EEXISTS with a refusal: refused by a rule, nothing stored
      another code: a storage error, roll back                               */
int
    stele_ledger_append (stele_ledger_t *self, const stele_record_t *event,
        int64_t producer, int64_t *position, stele_refusal_t *refusal);

/*  Hold an event to the users of the key that publishes it, in the open batch, before it is appended. Sets
    user_id where the event has none: that of the task or session that it is about, if there is one yet, else the
    only one of 'users', else 'default'. STELE_EUNAUTHORIZED with a refusal: the event, or what it is
    about, belongs to another user. Other codes are storage errors. 'users' must outlive the event. */
int
    stele_ledger_confine (stele_ledger_t *self, stele_record_t *event, const stele_span_t *users, size_t count,
        stele_refusal_t *refusal);

/*  Does a task in progress of that producer belong to none of these users? In the open batch. 1, 0 or a storage error. */
int
    stele_ledger_producer_shared (stele_ledger_t *self, int64_t producer, const stele_span_t *users, size_t count);

/*  Keep a refused event as it arrived. Stores its id in *id unless that is NULL. */
int
    stele_ledger_reject (stele_ledger_t *self, int64_t producer, int64_t sequence,
        const stele_refusal_t *refusal, int64_t time_us,
        const void *event, size_t event_size, int64_t *id);

/*  Mark a rejected event as accepted by a retry (position 0: as a duplicate). */
int
    stele_ledger_rejected_done (stele_ledger_t *self, int64_t id, int64_t time_us,
        int64_t position);

/*  A reader that sees the changes of the open batch, for use inside a batch. Owned by
    the ledger. Changes of tasks' states are visible to it after stele_ledger_flush. */
stele_reader_t *
    stele_ledger_reader (stele_ledger_t *self);

/*  Make everything in the open batch visible to its reader.                 */
int
    stele_ledger_flush (stele_ledger_t *self);

/*  -- producers ------------------------------------------------------------- */

typedef enum {
    STELE_PRODUCER_PRESENT = 1,
    STELE_PRODUCER_LEFT = 2,        // Said goodbye, and none of its tasks is interrupted for that
    STELE_PRODUCER_EXPIRED = 3,     // Its lease ran out
    STELE_PRODUCER_ENDED = 4        // Said goodbye: its tasks in progress wait for the lease or the next run
} stele_producer_status_t;

typedef struct {
    int64_t id;                     // 0: not in the ledger yet
    char name [STELE_LIMIT_ID + 1];
    int64_t sequence;               // The last one that is used
    char instance [STELE_LIMIT_ID + 1]; // "" if it never said hello, or is anonymous and gone
    bool anonymous;                 // Its name was made for one run, and does not return
    int64_t lease_ms;               // 0: none
    stele_producer_status_t status;
    int64_t seen_at;                // Microseconds since the Unix epoch
} stele_producer_t;

/*  Call fn once per producer that is not gone, in no particular order. An anonymous one is gone if it was saved with
    an empty instance: its row keeps its sequence.                           */
typedef void (stele_producer_fn) (const stele_producer_t *producer, void *arg);
int
    stele_ledger_producers (stele_ledger_t *self, stele_producer_fn *fn, void *arg);

/*  Find a producer by name, also one that is gone. Returns 1, 0 if there is none, or a storage error. */
int
    stele_ledger_producer_find (stele_ledger_t *self, const char *name, stele_producer_t *producer);

/*  Does it own tasks in progress (in the open batch, if there is one)? Returns 1, 0, or a storage error. */
int
    stele_ledger_producer_owns (stele_ledger_t *self, int64_t producer);

/*  Insert a producer (id 0, which is then set) or update it, in the open batch. */
int
    stele_ledger_producer_save (stele_ledger_t *self, stele_producer_t *producer);

/*  Update only its sequence, in the open batch.                             */
int
    stele_ledger_producer_advance (stele_ledger_t *self, int64_t producer, int64_t sequence);

/*  Fence an instance of a producer, in the open batch.                      */
int
    stele_ledger_fence (stele_ledger_t *self, int64_t producer, const char *instance,
        int64_t time_us);

/*  Returns 1 if that instance is fenced, 0 if not, or an error.             */
int
    stele_ledger_fenced (stele_ledger_t *self, int64_t producer, const char *instance);

/*  Interrupt the tasks in progress (protocol section 3) of one producer (-1: of all, and those
    without one), in the open batch: each becomes failed, by an event of the broker with 'reason' as
    its error_message; at most 'most', so that a batch has a bound. Returns their number, or an error. */
int64_t
    stele_ledger_interrupt (stele_ledger_t *self, int64_t producer, const char *reason,
        int64_t time_us, int64_t most);

/*  -- deferred writing, while another store keeps what is acked --------------------- */

/*  From now on keep batches in memory, in one open transaction, instead of committing them:
    stele_ledger_commit then makes nothing durable, and no other reader sees the changes. Call it
    between batches. A durable mark records it for the next start; without room for that mark this fails.
    Returns 0 or a code. 'since', not 0, identifies this period.             */
int
    stele_ledger_suspend (stele_ledger_t *self, int64_t since);

/*  Commit all of it. After an error stele_ledger_suspended returns whether it is still there; if
    not, the ledger takes no more batches: close it, and recover the events from Redis. */
int
    stele_ledger_resume (stele_ledger_t *self, int64_t since);

bool
    stele_ledger_suspended (const stele_ledger_t *self);

/*  The 'since' of a period that the run before left unfinished, 0: none.    */
int64_t
    stele_ledger_left_suspended (stele_ledger_t *self);

/*  The 'since' of the last finished period, 0: none. Negative: an error.    */
int64_t
    stele_ledger_last_resumed (stele_ledger_t *self);

/*  Record, in the open batch, that so many elements of that period's list in Redis are in the
    ledger now.                                                              */
int
    stele_ledger_note_recovered (stele_ledger_t *self, int64_t since, int64_t elements);

/*  That number; 0: none. Negative: an error.                                */
int64_t
    stele_ledger_recovered (stele_ledger_t *self);

/*  Finish that period: all that was taken in it is in the ledger, or given up. */
int
    stele_ledger_settle_suspended (stele_ledger_t *self, int64_t since);

/*  Number of the last refused event: of all finished batches, and of those that are durable. */
int64_t
    stele_ledger_last_rejected (const stele_ledger_t *self);
int64_t
    stele_ledger_durable_rejected (const stele_ledger_t *self);

/*  -- a shared log, of which the ledger is a fold (log/shared_log.h) ------------------- */

/*  From now on the shared log is what is durable: a commit writes the ledger without a sync, since what a
    power cut takes from it is folded again. Returns 0 or a storage error.   */
int
    stele_ledger_share (stele_ledger_t *self);

/*  Has it neither events, nor refused events, nor producers? Returns 1, 0, or a storage error. */
int
    stele_ledger_is_blank (stele_ledger_t *self);

/*  Record what the next batches decide (wire/event/decisions.h). Not for a ledger that folds what others decided.
    Returns 0 or STELE_ENO_MEMORY.                                           */
int
    stele_ledger_record (stele_ledger_t *self, bool record);

/*  Record, in the open batch, what makes a ledger the same one on all nodes: when it was created, and the
    key of its marks of secrets. Returns 0 or a storage error.               */
int
    stele_ledger_record_identity (stele_ledger_t *self);

/*  What the open batch has decided so far, and the number of operations. Owned by the ledger, valid until it
    changes. NULL: out of memory.                                            */
const void *
    stele_ledger_decisions (stele_ledger_t *self, size_t *size, size_t *count);

/*  Keep a mark of the log in the open batch: what the ledger has of it after the commit. Returns 0 or a
    storage error.                                                           */
int
    stele_ledger_log_mark (stele_ledger_t *self, const void *mark, size_t size);

/*  Read it. Returns 1; 0: there is none of that size; or a storage error.  */
int
    stele_ledger_log_marked (stele_ledger_t *self, void *mark, size_t size);

/*  -- replay: what a backup has besides events (repository/replay.h), in the open batch ----------- */

/*  In place of the producer of stele_ledger_append: the task belongs to whom it did before the event */
#define STELE_PRODUCER_SAME (-1)

/*  Give an empty ledger the id of another one, durably; not in a batch. Returns 0, or a code with a refusal. */
int
    stele_ledger_replay_id (stele_ledger_t *self, const char *id, stele_refusal_t *refusal);

/*  End a recorded commit: the events since the last one were committed at that time. The batch stays open. After a
    rollback the ledger takes no more batches.                               */
int
    stele_ledger_replay_commit (stele_ledger_t *self, int64_t time_us);

/*  Insert a producer, or update it: the greater sequence counts, and of the rest that of the given row if 'newer', or
    if it was seen later. Sets producer->id. 'first_seen_at' is in microseconds. An empty instance: never said hello,
    or anonymous and gone.                                                   */
int
    stele_ledger_replay_producer (stele_ledger_t *self, stele_producer_t *producer, int64_t first_seen_at, bool newer);

/*  Insert or replace an accepted loss.                                      */
int
    stele_ledger_replay_loss (stele_ledger_t *self, int64_t id, const stele_lost_t *loss);

/*  Set a key of the ledger's own notes to a value as msgpack (stele_reader_state); nil removes it. */
int
    stele_ledger_replay_note (stele_ledger_t *self, const char *key, const void *packed, size_t size);

/*  -- upkeep ----------------------------------------------------------------- */

/*  Store a follower's cursor, in the open batch.                            */
int
    stele_ledger_follower_save (stele_ledger_t *self, const char *name,
        int64_t position, int64_t time_us);

/*  Give the engine a moment for its own upkeep. Call it between batches, after the acks;
    'spare_us' is how long the caller was idle since the last call: work that can wait is done
    when there is spare time. Returns 0 or a storage error; a transient one only
    means that the upkeep is postponed.                                      */
int
    stele_ledger_idle (stele_ledger_t *self, int64_t spare_us);

/*  After STELE_EFULL: return disk space that the ledger holds but does not need. STELE_EFULL:
    there was none.                                                          */
int
    stele_ledger_make_room (stele_ledger_t *self);

/*  -- libraries of this engine ------------------------------------------------ */

/*  Name of the library with that index (0, 1, ...) and its version at run time; NULL: there are no
    more. Static storage.                                                    */
const char *
    stele_ledger_library (size_t index, const char **version);

#endif
