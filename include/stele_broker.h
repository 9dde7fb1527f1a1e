/*  stele_broker - the whole broker as a czmq actor

    A pipeline embeds it and talks to it over inproc:// as others do over tcp://;
    the daemon steled is a thin main over the same actor.

        zactor_t *broker = zactor_new (stele_broker, NULL);
        zstr_sendx (broker, "SET", "ledger", "tasks.db", NULL);
        zstr_sendx (broker, "SET", "events", "inproc://stele-events", NULL);
        zstr_sendx (broker, "START", NULL);
        char *status, *detail;
        zstr_recvx (broker, &status, &detail, NULL);    //  "READY" or "FAILED"
        ...
        zactor_destroy (&broker);                       //  drains, then stops

    Commands (strings, as above):

      SET name value     a setting by the name it has in steled.conf and steled(8):
                         ledger, redis, redis-prefix, events, requests, feed,
                         pipeline-in, pipeline-out, workers, interrupted, legacy-keys,
                         integrity, accept-loss, and the limits. Answered only when refused: "FAILED" and why.
      CONFIG file        the same from a ZPL file
      VERBOSE            log every batch that is committed
      START              open the ledger, recover, bind. Answered by "READY" and a line that
                         says what was recovered and where it listens, or "FAILED", why, and
                         (where the ledger is the reason) the name of the code: "ledger_behind"
                         where it is shorter than what was acked. Then nothing was changed;
                         SET accept-loss yes before START goes on with it and records the loss.
      HURRY              during a stop: do not wait for followers
      $TERM             stop: take no more events, commit and ack what was taken,
                         flush followers within a bound, close (zactor_destroy sends it)

    After READY the actor says one thing by itself: "FAILED" and why, when storage has
    failed for good and it has stopped. What was acked is safe.

    The broker logs with zsys (zsys_info and so on): an embedding program
    redirects that with zsys_set_logsender, zsys_set_logstream, and keeps its
    signal handlers with zsys_handler_set (NULL).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_BROKER_H_INCLUDED
#define STELE_BROKER_H_INCLUDED

#include <czmq.h>
#include "stele_library.h"

#ifdef __cplusplus
extern "C" {
#endif

/*  For zactor_new; args is NULL.                                            */
STELE_EXPORT void
    stele_broker (zsock_t *pipe, void *args);

#ifdef __cplusplus
}
#endif

#endif
