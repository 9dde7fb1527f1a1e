/*  delta - the events of a source that a ledger does not have yet

    A ledger may have a part of a source: from an earlier copy of the same database, from the
    database before the keys in Redis, or from a migration that was interrupted. Events that it has
    are left out. Of a record only a newer state is taken.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DELTA_H_INCLUDED
#define STELE_DELTA_H_INCLUDED

#include <stdio.h>
#include "migrate/migrate.h"
#include "migrate/subject.h"

typedef struct {
    const stele_asker_t *asker;
    bool is_redis;                  // The source has only the latest state of a task, and no title
    stele_migrate_odd_fn *odd_fn;
    void *arg;                      // Of odd_fn
} stele_delta_options_t;

typedef struct {
    int64_t known;                  // Events that the ledger has
    int64_t subjects;               // Tasks, sessions and users that it has, of those in the events
    int64_t added;                  // Events to publish
} stele_delta_counts_t;

/*  Read events, one JSON object per line in order, and write those to publish. Returns 0, -1 with errno
    (a file), or -2 (the broker did not answer, which was reported).         */
int
    stele_delta (FILE *events, FILE *added, const stele_delta_options_t *options, stele_delta_counts_t *counts);

#endif
