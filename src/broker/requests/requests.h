/*  requests - the actor that answers requests (protocol section 4)

    A ROUTER in front of REP workers. The front knows every request that is not
    answered yet (broker/requests/pending.h) and where it waits:

                         +- min_position not reached --> waiting
                         |                                  |
      REQ --> front -----+----------------------------------+
                         |
                         +- publish, rejected.retry --> "writer" mailbox --+
                         +- recover, check ----------> "cache" mailbox ----+--> answer
                         +- stats --> every mailbox, then a worker --------+
                         +- task.status, without Redis: the front itself --+
                         +- all else --> an idle worker, or the queue -----+

    Workers are threads with their own read-only connection to the ledger, so
    that a slow query blocks nobody while another worker is idle. The front has
    one too, for what a few pages answer: that takes less time than telling a
    worker. Whatever happens behind the front, each request has a time at which
    it is answered.

    After it has been started, the actor sends on its pipe "READY" and the
    endpoint as it is bound, or "FAILED" and why, and ends. Then it takes
      ENDPOINTS name endpoint ...   shown by info; answers nobody before it came
      RECOVERY map                  one map of msgpack, shown as stats.recovery
      $TERM

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REQUESTS_H_INCLUDED
#define STELE_REQUESTS_H_INCLUDED

#include <czmq.h>
#include "broker/common/settings.h"

/*  All borrowed: they outlive the actor.                                    */
typedef struct {
    const stele_settings_t *settings;
    const char *ledger_id;
    int64_t started_at_us;          // When the broker was started
    int64_t head;                   // Of the ledger, now
    bool has_cache;                 // There is a "cache" mailbox
    bool has_pipeline;              // There is a "pipeline" mailbox
} stele_requests_args_t;

/*  For zactor_new; args is a stele_requests_args_t, copied before it signals. */
void
    stele_requests (zsock_t *pipe, void *args);

#endif
