/*  state - what the relay has to remember, in a file of SQLite

    For each target: the ledger, the position up to which events were read, the events among them that are not delivered
    yet, and the dead letters. A relay that was killed continues from its last commit, and so delivers some events again.

    A rollback journal, not a write-ahead log: several threads and commands write, which SQLite up to 3.51.2 does not do
    safely with a log.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_STATE_H_INCLUDED
#define STELE_RELAY_STATE_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "model/refusal.h"

typedef struct relay_state relay_state_t;

#define RELAY_LEDGER 64

typedef struct {
    char ledger [RELAY_LEDGER];     // "": new, or reset
    int64_t position;               // Every event up to it is delivered, pending, dead or filtered out; -1: the setting 'from'
    int64_t delivered, failures;    // Since the target was created: events, requests that failed
    int64_t delivered_us, failed_us; // Wall clock of the last one; 0: none
    int64_t edits;                  // Changes by commands: enable, reset
    bool disabled;                  // It answered 410
    char error [256];               // Of the last failed request, or what stops the target; "": none since the last delivery
} relay_cursor_t;

/*  An event that is read and not delivered                                 */
typedef struct {
    int64_t position;
    int64_t attempts;
    int64_t first_us;               // Wall clock of the first request; 0: none yet
} relay_pending_t;

typedef struct {
    int64_t position;
    char ledger [RELAY_LEDGER];
    char subject [320];             // type/ID
    int64_t attempts;
    int64_t dead_us;                // Wall clock
    char reason [256];
    bool retry;                     // 'stele-relay dead retry' was run
} relay_dead_t;

/*  Open the file at 'path', and with 'create' make it. A connection is used by one thread. Caller owns return value. NULL with
    a refusal: STELE_EIO (it cannot be opened or is none of this version; STELE_ELEDGER: it is damaged). */
relay_state_t *
    relay_state_open (const char *path, bool create, stele_refusal_t *refusal);
void
    relay_state_close (relay_state_t **self_p);

/*  Reason of the last failure.                                              */
const char *
    relay_state_error (const relay_state_t *self);

/*  A number that changes whenever another connection has written; -1: failure. */
int64_t
    relay_state_version (relay_state_t *self);

/*  Read the cursor of a target; with 'create', add the target if there is none. Returns 0, STELE_ENOT_FOUND or STELE_EIO. */
int
    relay_state_cursor (relay_state_t *self, const char *target, bool create, relay_cursor_t *cursor);

/*  Call 'fn' for each undelivered event of a target in the order of positions; or for each dead letter, with 'retry' only for
    those that are to be retried. Returns 0 or STELE_EIO.                    */
typedef void (relay_pending_fn) (const relay_pending_t *pending, void *arg);
typedef void (relay_dead_fn) (const relay_dead_t *dead, void *arg);
int
    relay_state_pending (relay_state_t *self, const char *target, relay_pending_fn *fn, void *arg);
int
    relay_state_dead (relay_state_t *self, const char *target, bool retry, relay_dead_fn *fn, void *arg);

/*  One commit of a target: relay_state_begin, the rows, relay_state_end. begin writes the cursor, unless a command has changed it
    since it was read (its 'edits'): STELE_EFENCED, then read it again. With 'replace' it removes all undelivered events, which
    the caller puts again. Each returns 0 or a code; after one, nothing is written, and end may not be called. */
int
    relay_state_begin (relay_state_t *self, const char *target, const relay_cursor_t *cursor, bool replace);
int
    relay_state_put_pending (relay_state_t *self, const char *target, const relay_pending_t *pending);
int
    relay_state_put_dead (relay_state_t *self, const char *target, const relay_dead_t *dead);
int
    relay_state_drop_dead (relay_state_t *self, const char *target, int64_t position);
int
    relay_state_end (relay_state_t *self);

/*  Changes by commands, each a commit of its own. Positions: 0 is all of the target; only those of its ledger can be retried.
    Return the number of dead letters, or STELE_EIO.                         */
int64_t
    relay_state_retry (relay_state_t *self, const char *target, int64_t position);
int64_t
    relay_state_drop (relay_state_t *self, const char *target, int64_t position);

/*  Enable a target that was disabled; with 'reset', forget its ledger, its position and its undelivered events, and begin after
    'position' (-1: at the head). Returns 0, STELE_ENOT_FOUND or STELE_EIO.  */
int
    relay_state_edit (relay_state_t *self, const char *target, bool reset, int64_t position);

#endif
