/*  snapshot_job - one backup: copy the ledger, compress the copy, restore and verify it, and only then let it count

    An actor with the life of one backup, so that the follower answers requests meanwhile. Its thread has a low
    priority, and pauses between small portions of writes, so that acks do not wait for the disk.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SNAPSHOT_JOB_H_INCLUDED
#define STELE_SNAPSHOT_JOB_H_INCLUDED

#include <czmq.h>
#include "broker/common/settings.h"

/*  Arguments of the actor, borrowed until it ends.                          */
typedef struct {
    const stele_settings_t *settings;
    const char *ledger_id;
} stele_snapshot_job_args_t;

/*  The actor, for zactor_new; args are a stele_snapshot_job_args_t. It sends, each as texts:
      "AT", state, done, total    state is copying, compressing, restoring or verifying; bytes
      "DONE", name                the snapshot counts; older ones were removed as the settings say
      "FAILED", reason            nothing was changed
    and ends after the last two, or on "$TERM".                              */
void
    stele_snapshot_job (zsock_t *pipe, void *args);

#endif
