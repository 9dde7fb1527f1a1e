/*  archive - move tasks that ended long ago from a ledger to its archives

    An archive is a file next to the ledger, one per year in which tasks ended. A reader of the ledger reads archived
    tasks as if they were still in the ledger; an event about one brings it back.

    A move has two steps, so that no step of it can lose or double an event. The archiver, on a thread of its own, copies
    tasks and makes the copies durable. Then the writer replaces those of them that no event has changed
    meanwhile by a stub, in one transaction. Until its commit the copies do not count.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ARCHIVE_H_INCLUDED
#define STELE_ARCHIVE_H_INCLUDED

#include <sys/types.h>
#include "ledger/ledger.h"

/*  A ledger that is being restored has this suffix, and the archives of the name without it */
#define STELE_RESTORING_SUFFIX ".restoring"

typedef struct stele_archiver stele_archiver_t;

/*  Copies of tasks, in the archive of one year                              */
#define STELE_ARCHIVE_TASKS 100
typedef struct {
    int64_t year;
    char archive_id [40];
    int count;
    struct {
        int64_t task;               // Key
        int64_t position;           // Of its last event, when it was copied
        int64_t events;
    } tasks [STELE_ARCHIVE_TASKS];
} stele_archive_step_t;

/*  Caller owns return value. The reader is borrowed, and used between its calls. 'mode' is that of new files. NULL: out of
    memory.                                                                  */
stele_archiver_t *
    stele_archiver_new (const char *ledger, mode_t mode, stele_reader_t *reader);

void
    stele_archiver_destroy (stele_archiver_t **self_p);

/*  Copy the next tasks, some hundred kilobytes of them, whose end and whose last event were before 'before_us'. Returns
    their number; 0: there are no more, and the next call begins with the oldest task again; or a code with a
    refusal: then the next call tries the same tasks again, after STELE_ELEDGER those of the next year. */
int
    stele_archiver_copy (stele_archiver_t *self, int64_t before_us, stele_archive_step_t *step, stele_refusal_t *refusal);

/*  In the open batch: replace those tasks by stubs that have not changed since they were copied. Returns their number, or
    a storage error.                                                         */
int64_t
    stele_ledger_archive (stele_ledger_t *self, const stele_archive_step_t *step);

#endif
