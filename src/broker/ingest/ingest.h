/*  ingest - the actor that writes: one writer, one order

    Takes events from producers (DEALER peers, publish requests, the pipeline), commits them in
    batches, and answers only after the commit. Messages that arrive during a commit form the
    next batch.

        +-----------+  message   +---------+  bound reached,   +------------+
        | listening |----------->| filling |  or nothing left  | committing |
        +-----------+            +---------+------------------>+------------+
              ^                       ^  | storage error           |  |
              |                 retry |  v                         |  | storage error
              |                  +---------+                       |  |
              |                  | holding |<----------------------|--+
              |                  +---------+    full, busy         |
              +----------------------------------------------------+
                      acked      any other failure: stop, send FAILED

    While holding, the messages of the batch are kept, neither acked nor refused; new ones wait in
    their sockets; statistics and the mode are answered. Then the same batch is run again.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_INGEST_H_INCLUDED
#define STELE_INGEST_H_INCLUDED

#include <czmq.h>
#include "broker/common/settings.h"

/*  For zactor_new; args is the settings, borrowed until the actor ends. After the start signal it
    sends on its pipe
      "READY", ledger id, a stele_announcement_t, events endpoint, pipeline-in endpoint,
               a frame with a msgpack map of what the start did (for the recovery report)
      or "FAILED", reason, name of the error code
    and later "FAILED", reason if storage fails permanently. It takes "$TERM", which commits and acks
    the accepted messages and ends, "DISCARD" (the start of another part failed:
    stele_ledger_discard), and "PAUSE" (answered by "PAUSED"), which commits and acks
    them, then takes no more events but still answers its mailbox. Mailbox "writer",
    PUB "head": see settings.h.                                              */
void
    stele_ingest (zsock_t *pipe, void *args);

#endif
