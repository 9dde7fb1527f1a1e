/*  ingest - the actor that writes: one writer, one order

    Takes what producers publish (DEALER peers, plain requests, the pipeline), commits it
    in batches and only then answers. Whatever arrived while the last commit was
    syncing is the next batch.

        +-----------+  message   +---------+  bound reached,   +------------+
        | listening |----------->| filling |  or nothing left  | committing |
        +-----------+            +---------+------------------>+------------+
              ^                       ^  | storage error           |  |
              |                 retry |  v                         |  | storage error
              |                  +---------+                       |  |
              |                  | holding |<----------------------|--+
              |                  +---------+    full, busy         |
              +----------------------------------------------------+
                      acked      anything else that fails: stop, say FAILED

    Holding: the messages of the batch are kept, neither acked nor refused; new ones wait in
    their sockets; statistics are answered. Then the same batch is run again.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_INGEST_H_INCLUDED
#define STELE_INGEST_H_INCLUDED

#include <czmq.h>
#include "broker/common/settings.h"

/*  For zactor_new, args is the settings (borrowed for the actor's life). After the start
    signal it says on its pipe
      "READY", ledger id, head as text, events endpoint, pipeline-in endpoint,
               a frame with one msgpack map: what the start did (for recovery)
      or "FAILED", reason
    and later "FAILED", reason when storage failed for good. Takes "$TERM", which commits and
    acks what was taken, "PAUSE", which does that and takes no more events but goes on
    answering its mailbox (answered by "PAUSED"). Mailbox "writer", PUB "head":
    see settings.h.                                                          */
void
    stele_ingest (zsock_t *pipe, void *args);

#endif
