/*  ledger - the one that writes

    One stele_ledger_t a file, used by one thread: it makes every commit and
    every checkpoint (SQLite 3.7.0 to 3.51.2 can lose pages when several
    connections do). Reading is the work of stele_reader_t.

    A batch: begin, any number of appends and other changes, commit. When any
    of them returns a storage error (STELE_EFULL, EBUSY, EIO, EINTERNAL), the caller
    rolls back; nothing of the batch has happened then, in the file or here.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LEDGER_H_INCLUDED
#define STELE_LEDGER_H_INCLUDED

#include "model/lifecycle.h"
#include "model/record.h"
#include "model/refusal.h"
#include "ledger/reader.h"

typedef struct stele_ledger stele_ledger_t;

typedef enum {
    STELE_CHECK_NONE,
    STELE_CHECK_QUICK,              // quick_check; of more than 32 MiB small tables and newest rows
    STELE_CHECK_FULL                // integrity_check: minutes to hours, by size
} stele_check_t;

/*  Open the ledger at 'path', create or migrate it, check it. Caller owns return
    value. NULL: the reason in the refusal (STELE_ELEDGER, EBUSY, EIO, ...).
    At most one process may have it open for writing.
    STELE_EBEHIND: it is shorter than what was acked, as PATH.high-water says
    (high_water.h). Then no file was changed, so that the right ones can be put back. */
stele_ledger_t *
    stele_ledger_open (const char *path, stele_check_t check, stele_refusal_t *refusal);

/*  Another one that remembers how far this ledger was: the position it knows of, 0 for
    none. Its own name into 'name'.                                          */
typedef int64_t (stele_last_position_fn) (const char *ledger_id, char *name, size_t name_size, void *arg);

typedef struct {
    stele_check_t check;
    stele_last_position_fn *last_position;      // NULL: there is none
    void *last_position_arg;
    bool accept_loss;               // Open one that is behind: what is missing is recorded as lost
                                    // (stele_reader_losses), and since positions are then
                                    // given a second time, the ledger gets a new id
} stele_ledger_options_t;

/*  The same with a witness, or in spite of a loss.                          */
stele_ledger_t *
    stele_ledger_open_with (const char *path, const stele_ledger_options_t *options,
        stele_refusal_t *refusal);

/*  What was accepted as lost when it was opened, for a person; NULL: nothing. Owned by the
    ledger.                                                                  */
const char *
    stele_ledger_loss (const stele_ledger_t *self);

/*  What was acked after the head is given up, for that reason: recorded as a loss that was accepted,
    with a new id of the ledger. 0, or a code with a refusal.                */
int
    stele_ledger_give_up (stele_ledger_t *self, const char *evidence, stele_refusal_t *refusal);

/*  Rolls back an open batch, checkpoints, closes.                           */
void
    stele_ledger_close (stele_ledger_t **self_p);

/*  Id of this ledger (a UUID), made when it was created. Owned by the ledger. */
const char *
    stele_ledger_id (const stele_ledger_t *self);

/*  Position of the last event that is committed; 0 is an empty ledger.      */
int64_t
    stele_ledger_head (const stele_ledger_t *self);

/*  Position of the last event of the open batch: what the head will be once it is
    committed.                                                               */
int64_t
    stele_ledger_last (const stele_ledger_t *self);

/*  Text of the last storage error. Owned by the ledger.                     */
const char *
    stele_ledger_error (const stele_ledger_t *self);

/*  -- batches ---------------------------------------------------------------- */

int
    stele_ledger_begin (stele_ledger_t *self);

/*  Make the batch durable: on return 0 it is on stable storage. 'now_us' is the
    time that the commits table gets.                                        */
int
    stele_ledger_commit (stele_ledger_t *self, int64_t now_us);

void
    stele_ledger_rollback (stele_ledger_t *self);

/*  A message of producers is at hand, any bytes, whose events may be appended soon: another
    thread does what can be done of that meanwhile. The bytes stay where they are until
    stele_ledger_done, which is said in any case.                            */
void
    stele_ledger_offer (stele_ledger_t *self, const void *message, size_t size);
void
    stele_ledger_done (stele_ledger_t *self, const void *message);

/*  Append one checked event (stele_event_decode_record; 'time' has to be set).
    'producer' is an id of stele_ledger_producer or 0. Returns:
      1   stored, its position in *position
      0   a duplicate of what is there (an identical task.created): nothing stored
      STELE_EILLEGAL, STELE_EEXISTS with a refusal: refused by a rule, nothing stored
      another code: a storage error, roll back                               */
int
    stele_ledger_append (stele_ledger_t *self, const stele_record_t *event,
        int64_t producer, int64_t *position, stele_refusal_t *refusal);

/*  Keep an event that was refused, as it came. Its id in *id if not NULL.    */
int
    stele_ledger_reject (stele_ledger_t *self, int64_t producer, int64_t sequence,
        const stele_refusal_t *refusal, int64_t time_us,
        const void *event, size_t event_size, int64_t *id);

/*  Mark a rejected event as accepted by a retry (position 0: as a duplicate). */
int
    stele_ledger_rejected_done (stele_ledger_t *self, int64_t id, int64_t time_us,
        int64_t position);

/*  A reader that sees what the open batch has written, for use inside a batch. Owned by
    the ledger. What task_states says is written at the commit only.         */
stele_reader_t *
    stele_ledger_reader (stele_ledger_t *self);

/*  -- producers ------------------------------------------------------------- */

typedef enum {
    STELE_PRODUCER_PRESENT = 1,
    STELE_PRODUCER_LEFT = 2,        // Said goodbye
    STELE_PRODUCER_EXPIRED = 3      // Its lease ran out
} stele_producer_status_t;

typedef struct {
    int64_t id;                     // 0: not in the ledger yet
    char name [STELE_LIMIT_ID + 1];
    int64_t sequence;               // Last one that is used
    char instance [STELE_LIMIT_ID + 1]; // "" where it never said hello
    int64_t lease_ms;               // 0: none
    stele_producer_status_t status;
    int64_t seen_at;                // Microseconds
} stele_producer_t;

/*  Each producer once, in no particular order.                              */
typedef void (stele_producer_fn) (const stele_producer_t *producer, void *arg);
int
    stele_ledger_producers (stele_ledger_t *self, stele_producer_fn *fn, void *arg);

/*  Insert (id 0, then set) or update one, in the open batch.                */
int
    stele_ledger_producer_save (stele_ledger_t *self, stele_producer_t *producer);

/*  Move its sequence only, in the open batch.                               */
int
    stele_ledger_producer_advance (stele_ledger_t *self, int64_t producer, int64_t sequence);

/*  Fence an instance of a producer, in the open batch; is it fenced? (1, 0, or an error) */
int
    stele_ledger_fence (stele_ledger_t *self, int64_t producer, const char *instance,
        int64_t time_us);
int
    stele_ledger_fenced (stele_ledger_t *self, int64_t producer, const char *instance);

/*  Interrupt the running tasks of one producer (-1: of all, and of none), in the
    open batch: each becomes failed, by an event of the broker with 'reason' as
    its error_message. Returns their number, or an error.                    */
int64_t
    stele_ledger_interrupt (stele_ledger_t *self, int64_t producer, const char *reason,
        int64_t time_us);

/*  -- without the disk ----------------------------------------------------------- */

/*  From now on batches are not committed but kept in one open transaction, in memory: what
    stele_ledger_commit says is not durable, and no other reader sees it. Call it between
    batches. A mark in the ledger says so to the next start, or where there is no room for it,
    in the high-water mark. Without any of them it is not begun: returns 0 or a code. 'since' (not 0)
    tells this time from others.                                             */
int
    stele_ledger_suspend (stele_ledger_t *self, int64_t since);

/*  Commit all of it. On an error stele_ledger_suspended tells whether it is still there; if it
    is not, no batch is taken any more: close it, and bring home what Redis has. */
int
    stele_ledger_resume (stele_ledger_t *self, int64_t since);

bool
    stele_ledger_suspended (const stele_ledger_t *self);

/*  Was it left suspended by the run before? The 'since' of that, 0: no. And the 'since' of the last
    time that is over, 0: there was none. Negative: an error.                */
int64_t
    stele_ledger_left_suspended (stele_ledger_t *self);
int64_t
    stele_ledger_last_resumed (stele_ledger_t *self);

/*  With the open batch: so many elements of what was acked in that time are in the ledger. How many
    there are, 0: none; negative: an error.                                  */
int
    stele_ledger_note_recovered (stele_ledger_t *self, int64_t since, int64_t elements);
int64_t
    stele_ledger_recovered (stele_ledger_t *self);

/*  That time is over: what was taken in it is in the ledger, or given up.   */
int
    stele_ledger_settle_suspended (stele_ledger_t *self, int64_t since);

/*  Write out what the open batch keeps in memory, for its reader.           */
int
    stele_ledger_flush (stele_ledger_t *self);

/*  Number of the last refused event of a batch that is through; that is durable. */
int64_t
    stele_ledger_last_rejected (const stele_ledger_t *self);
int64_t
    stele_ledger_durable_rejected (const stele_ledger_t *self);

/*  -- upkeep ----------------------------------------------------------------- */

/*  Keep a follower's cursor, in the open batch.                             */
int
    stele_ledger_follower_save (stele_ledger_t *self, const char *name,
        int64_t position, int64_t time_us);

/*  Fold the write-ahead log into the file as far as readers allow, when it is longer than its
    bound; and early, when nobody wants to commit. 'spare_us' is how long the caller had nothing
    to do since the last call. And, a few times in the life of a ledger, learn what its
    texts have in common. Call between batches, after the acks.              */
int
    stele_ledger_checkpoint (stele_ledger_t *self, int64_t spare_us);

/*  After STELE_EFULL: fold the log in and give its room back to the disk, as far as readers and
    the room that is left allow. STELE_EFULL: no room was gained.            */
int
    stele_ledger_make_room (stele_ledger_t *self);

#endif
