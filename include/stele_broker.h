/*  stele_broker - the whole broker as a czmq actor

    A program embeds the broker and connects to it over inproc://, as other processes
    do over tcp://; the daemon steled is a thin main program over the same actor.

        zactor_t *broker = zactor_new (stele_broker, NULL);
        zstr_sendx (broker, "SET", "ledger", "tasks.db", NULL);
        zstr_sendx (broker, "SET", "events", "inproc://stele-events", NULL);
        zstr_sendx (broker, "START", NULL);
        char *status, *detail;
        zstr_recvx (broker, &status, &detail, NULL);    //  "READY" or "FAILED"
        ...
        zactor_destroy (&broker);                       //  drains, then stops

    Commands (strings, as above):

      SET name value     change a setting; the names are those of steled.conf(5) and steled(8):
                         ledger, redis, redis-prefix, events, requests, feed,
                         pipeline-in, pipeline-out, keys, insecure, ipc-mode, workers, interrupted, legacy-keys,
                         integrity, accept-loss, log, log-level, and the limits. Only before
                         START. Answered only on failure, with "FAILED" and the reason.
      CONFIG file        read settings from a ZPL file
      VERBOSE            log every committed batch: SET log-level debug
      START              open the ledger, recover, bind. The answer is "READY" and a line that
                         reports the recovery and the endpoints, followed by the setting http,
                         the endpoints of requests and of the feed, and the setting log; or "FAILED", the reason and,
                         if the ledger is the reason, the name of the error code:
                         "ledger_behind" if the ledger ends before events that were acked.
                         Nothing was changed then; SET accept-loss yes before START
                         accepts the ledger and records the loss. All settings are checked
                         before anything is created.
      RELOAD             read the file of CONFIG again, and apply what can change while the broker
                         runs (log, log-level); read the keys again. The log reports the
                         result; no answer
      PING               "PONG", once the writer has answered; no answer before START
      HURRY              during a stop: do not wait for followers
      $TERM              stop: accept no more events, commit and ack those that were
                         received, flush the followers within a time limit, close
                         (zactor_destroy sends it)

    After READY the actor sends one message unasked: "FAILED" and the reason, if a
    permanent storage failure, or the end of its ZAP actor, has stopped it. Acked events are safe.

    With keys, the broker is the ZAP handler of the process: a process that has one itself (zauth of czmq, for
    example), or another broker with keys, cannot start one; START is then answered with "FAILED".

    The broker logs to standard error; log and log-level apply to all brokers of a process.
    With "SET log zsys" it logs through zsys_info and so on, and the embedding program redirects the
    log with zsys_set_logsender or zsys_set_logstream. It keeps its own signal handlers with
    zsys_handler_set (NULL).

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

/*  Actor function for zactor_new; pass NULL as args.                        */
STELE_EXPORT void
    stele_broker (zsock_t *pipe, void *args);

#ifdef __cplusplus
}
#endif

#endif
