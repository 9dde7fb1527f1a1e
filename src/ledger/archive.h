/*  archive - move tasks that ended long ago, and their sessions, from a ledger to its archives

    An archive is a file next to the ledger, one per year in which tasks ended. A reader of the ledger reads archived
    tasks and sessions as if they were still in the ledger; an event about one brings it back. A session moves by itself,
    after its task, to the archive of the task. One that names no task, or one that does not exist, stays in the ledger; so does
    one whose task is in an archive of an earlier id of the ledger, from before an accepted loss.

    A move has two steps, so that no step of it can lose or double an event. The archiver, on a thread of its own, copies
    some and makes the copies durable. Then the writer replaces those of them that no event has changed
    meanwhile by a stub, in one transaction. Until its commit the copies do not count.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ARCHIVE_H_INCLUDED
#define STELE_ARCHIVE_H_INCLUDED

#include <sys/types.h>
#include "ledger/ledger.h"

/*  A ledger that is being restored has this suffix; an archive that it does not have itself is that of the name without it */
#define STELE_RESTORING_SUFFIX ".restoring"

typedef struct stele_archiver stele_archiver_t;

/*  Copies of tasks, or of sessions, in the archive of one year              */
#define STELE_ARCHIVE_ITEMS 100
typedef struct {
    int64_t year;
    char archive_id [40];
    bool sessions;                  // Else tasks
    int count;
    struct {
        int64_t key;
        int64_t position;           // Of its last event, when it was copied
        int64_t events;
    } items [STELE_ARCHIVE_ITEMS];
} stele_archive_step_t;

/*  Caller owns return value. The reader is borrowed, and used between its calls. 'mode' is that of new files. NULL: out of
    memory.                                                                  */
stele_archiver_t *
    stele_archiver_new (const char *ledger, mode_t mode, stele_reader_t *reader);

void
    stele_archiver_destroy (stele_archiver_t **self_p);

/*  Copy the next tasks, some hundred kilobytes of them, whose end and whose last event were before 'before_us'; after the last
    ones, sessions of archived tasks, whose last event was before that. Returns their number; 0: there are no more, and the next
    call begins with the oldest task again; or a code with a refusal: then the next call tries the same tasks again, after
    STELE_ELEDGER those of the next year; and no more sessions of that archive until there are no more of others.  */
int
    stele_archiver_copy (stele_archiver_t *self, int64_t before_us, stele_archive_step_t *step, stele_refusal_t *refusal);

/*  The years of the archives that are next to the ledger at that path, whether or not it names them, in any order. Returns
    their number, at most 'max', or -1 with errno: the folder cannot be read. */
int
    stele_archives_beside (const char *ledger, int64_t *years, int max);

/*  In the open batch: replace those by stubs that have not changed since they were copied. Returns their number, or
    a storage error.                                                         */
int64_t
    stele_ledger_archive (stele_ledger_t *self, const stele_archive_step_t *step);

#endif
