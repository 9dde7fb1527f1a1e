/*  no_segments - a repository without segments: only its snapshots

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <unistd.h>
#include "base/memory.h"
#include "repository/replay.h"

stele_repository_t *
stele_repository_open (const char *path, stele_refusal_t *refusal)
{
    if (access (path, R_OK | X_OK) == 0)
        return stele_memory_new (1);
    stele_refuse (refusal, STELE_ENOT_FOUND, "backup", "there is no repository %s", path);
    return NULL;
}

void
stele_repository_close (stele_repository_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

int64_t
stele_repository_last (const stele_repository_t *self, stele_refusal_t *refusal)
{
    (void) self;
    (void) refusal;
    return 0;
}

int64_t
stele_repository_position_at (const stele_repository_t *self, int64_t after, int64_t time_us, stele_refusal_t *refusal)
{
    (void) self;
    (void) time_us;
    (void) refusal;
    return after;
}

int64_t
stele_repository_replay (const stele_repository_t *self, stele_ledger_t *ledger, int64_t upto,
    stele_replay_fn *progress, void *arg, stele_refusal_t *refusal)
{
    (void) self;
    (void) upto;
    (void) progress;
    (void) arg;
    (void) refusal;
    return stele_ledger_head (ledger);
}
