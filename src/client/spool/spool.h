/*  spool - events on the producer's own disk until a broker has acked them

    A file that is appended to and synced before a publish returns, so that what was published
    survives the producer, and a broker that is away. It also remembers how its events are
    numbered at the broker (base, ledger) and what was acked: so nothing is stored
    twice or passed over when another run drains it.

    Events have numbers 1, 2, 3 ... since the spool was opened, those that it held first:

         settled            handed over            waiting
        ------------------|-------------------|---------------|
                       settled+1             next            end

    One thread uses a spool. stele_spool_keep_offset alone may be called by another, before the
    first event is sent.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SPOOL_H_INCLUDED
#define STELE_SPOOL_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "model/refusal.h"

#define STELE_SPOOL_BYTES_MAX 268435456     // Unless set otherwise

typedef struct stele_spool stele_spool_t;

/*  Open the spool at 'path', or make it. bytes_max bounds what waits in it. Caller owns
    return value. NULL: the reason in the refusal: STELE_EBUSY (another process has
    it), STELE_EINVALID_FIELD (it belongs to another producer, or is no spool), STELE_EIO (it
    cannot be read, or was damaged: events in it are lost), STELE_EFULL.     */
stele_spool_t *
    stele_spool_open (const char *path, const char *producer, int64_t bytes_max,
        stele_refusal_t *refusal);

/*  What is not settled stays for the next run.                              */
void
    stele_spool_close (stele_spool_t **self_p);

/*  Whose spool is at 'path'? Into 'producer', 256 bytes. False: nobody's, there is none. */
bool
    stele_spool_owner (const char *path, char *producer);

typedef struct {
    const void *data;
    size_t size;
} stele_spool_event_t;

/*  Append events and make them durable, together: all or none. Returns 0, or STELE_EFULL (the bound, or
    the disk) or STELE_EIO with a refusal.                                   */
int
    stele_spool_append (stele_spool_t *self, const stele_spool_event_t *events, size_t count,
        stele_refusal_t *refusal);

/*  Number of the last event; 0 where there never was one.                   */
int64_t
    stele_spool_end (const stele_spool_t *self);

/*  The next event to hand over, valid until the next call; false where none waits, or it
    cannot be read (with a refusal, whose code is 0 otherwise). Then pass over it.  */
bool
    stele_spool_next (stele_spool_t *self, const void **data, size_t *size,
        stele_refusal_t *refusal);
void
    stele_spool_pass (stele_spool_t *self);

/*  All up to 'number' are settled: forget them. Returns 0 or STELE_EIO.     */
int
    stele_spool_settle (stele_spool_t *self, int64_t number);

/*  -- how the events are numbered at the broker -------------------------------------- */

/*  Sequence of an event is its number plus the offset. False where no broker was met
    with this spool; then the first welcome says the offset.                 */
bool
    stele_spool_offset (const stele_spool_t *self, int64_t *offset, const char **ledger);

/*  Keep it, durably. Returns 0 or STELE_EIO. 'self' as argument, so that it can be a callback. */
int
    stele_spool_keep_offset (int64_t offset, const char *ledger, void *self);

/*  The same was kept by the other thread: know it here, too.                */
void
    stele_spool_note_offset (stele_spool_t *self, int64_t offset, const char *ledger);

#endif
