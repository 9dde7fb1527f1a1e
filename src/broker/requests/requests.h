/*  requests - the actor that answers requests (protocol section 4)

    A ROUTER before REP workers. The router checks every request against the table of
    operations, and tracks all that are not answered yet (broker/requests/pending.h):

                          +- min_position not reached --> waiting
                          |                                  |
      REQ --> router -----+----------------------------------+
                          +- search, index far behind --> waits for the index --> a worker
                          |
                          +- publish, rejected.retry --> "writer" mailbox --+
                          +- recover, check ----------> "cache" mailbox ----+--> answer
                          +- stats --> every mailbox, then a worker --------+
                          +- task.status, without Redis: the router itself -+
                          +- all others --> an idle worker, or the queue ---+

    Workers are threads with their own read-only connection to the ledger, so that a slow query
    blocks no other request while another worker is idle. The router has one too, for reads of
    a few pages: they take less time than a message to a worker. Each request has a deadline, so
    that it is answered whatever happens in other actors.

    After its start the actor sends on its pipe "READY" and the endpoint as it is bound, or
    "FAILED" and the reason, and ends. Then it takes
      ENDPOINTS name endpoint ...   shown by info; no request is answered before it
      RECOVERY map                  one map of msgpack, shown as stats.recovery
      $TERM

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REQUESTS_H_INCLUDED
#define STELE_REQUESTS_H_INCLUDED

#include <czmq.h>
#include "broker/operations/query.h"

/*  For zactor_new; args is a stele_query_args_t, copied before it signals. */
void
    stele_requests (zsock_t *pipe, void *args);

#endif
