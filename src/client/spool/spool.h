/*  spool - events on the producer's own disk until a broker has acked them

    Promises:

      - When stele_spool_append returns 0, its events are on stable storage. They survive the
        process and a power cut until they are settled, that is acked or refused.
      - When it returns an error, this run sends none of its events. If the sync failed, or a
        crash interrupted the append, the file may hold its first events; the next open keeps
        those that are complete, without a gap, and that run sends them.
      - The numbering of events at the broker (offset, ledger) is on stable storage before the
        first event is sent. Events that are sent again, by this process or a later one, have
        the same sequences and are stored once; except after an accepted loss, or if something
        else has published under the producer's name (libstele(3), THE SPOOL).
      - The mark of settled events is not synced. After a power cut settled events may be sent
        again, as duplicates.
      - Open cuts off a torn end. It refuses damage with STELE_EIO, without changing the file,
        if a later append proves that the damaged record had been synced. Damage to the last
        append cannot be distinguished from a torn end.
      - At most bytes_max bytes wait. Settled events may lie in the file besides; when they
        exceed 1 MiB and the bytes that wait, the file is rewritten without them.

    Events have numbers 1, 2, 3 ... since the spool was opened, events of earlier runs first:

         settled            handed over            waiting
        ------------------|-------------------|---------------|
                       settled+1             next            end

    One process at a time has a spool open, and one thread uses it. Only stele_spool_keep_offset,
    before the first event is sent, and stele_spool_set_aside may be called by another thread. The class spans spool.c,
    spool_open.c and spool_file.c (see spool_internal.h); spool_format.h defines the bytes.

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

#define STELE_SPOOL_BYTES_MAX 268435456     // Default of bytes_max

typedef struct stele_spool stele_spool_t;

/*  Open the spool at 'path', or create it. bytes_max limits the bytes that wait in it. Caller
    owns return value. NULL, with a refusal: STELE_EBUSY (another process has it open),
    STELE_EINVALID_FIELD (it belongs to another producer, or is no spool), STELE_EIO (it cannot
    be read or written, or is damaged) or STELE_EFULL.                       */
stele_spool_t *
    stele_spool_open (const char *path, const char *producer, int64_t bytes_max,
        stele_refusal_t *refusal);

/*  Close. Events that are not settled remain for the next run.              */
void
    stele_spool_close (stele_spool_t **self_p);

/*  Close in a process that is a child of the one that opened it, without changing the file.  */
void
    stele_spool_abandon (stele_spool_t **self_p);

/*  Copy the name of the producer of the spool at 'path' to 'producer', 256 bytes. False if
    there is no spool.                                                       */
bool
    stele_spool_owner (const char *path, char *producer);

typedef struct {
    const void *data;
    size_t size;
} stele_spool_event_t;

/*  Append events and sync them, all or none. Returns 0, or, with a refusal, STELE_EFULL (the
    limit, or the disk; retry later) or STELE_EIO. After a failed sync every later append
    fails until the spool is opened again.                                   */
int
    stele_spool_append (stele_spool_t *self, const stele_spool_event_t *events, size_t count,
        stele_refusal_t *refusal);

/*  Number of the last event; 0 if there is none yet.                        */
int64_t
    stele_spool_end (const stele_spool_t *self);

/*  Get the next event to hand over, valid until the next call. False if none waits (the
    refusal's code is 0) or it cannot be read. stele_spool_pass then moves past it.  */
bool
    stele_spool_next (stele_spool_t *self, const void **data, size_t *size,
        stele_refusal_t *refusal);
void
    stele_spool_pass (stele_spool_t *self);

/*  Settle all events up to 'number', which were handed over. Returns 0 or STELE_EIO. */
int
    stele_spool_settle (stele_spool_t *self, int64_t number);

/*  -- numbering of events at the broker ----------------------------------------------- */

/*  Sequence of an event = its number + offset. False if this spool has not met a broker yet:
    the first welcome then determines the offset. 'ledger' is valid until it is changed or the
    spool is closed.                                                         */
bool
    stele_spool_offset (const stele_spool_t *self, int64_t *offset, const char **ledger);

/*  Store the numbering durably. Returns 0 or STELE_EIO. The signature is that of a callback
    (dialog.h); 'self' is the spool, whose memory is not changed.            */
int
    stele_spool_keep_offset (int64_t offset, const char *ledger, void *self);

/*  Append an event that the broker does not take any more to PATH.rejected, durably, as a line
    {"number", "reason", "text"}; 'name' gets the name of that file. The signature is that of a callback
    (dialog.h). Returns 0 or STELE_EIO.                                      */
int
    stele_spool_set_aside (int64_t number, const void *event, size_t size, const char *why, char *name,
        size_t name_size, void *self);

/*  Note in memory a numbering that was stored, perhaps by the other thread. */
void
    stele_spool_note_offset (stele_spool_t *self, int64_t offset, const char *ledger);

#endif
