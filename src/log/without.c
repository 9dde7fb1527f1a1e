/*  without - a build without libpq has no shared log

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "log/shared_log.h"

stele_shared_log_t *
stele_shared_log_new (const stele_shared_log_options_t *options, stele_refusal_t *refusal)
{
    (void) options;
    stele_refuse (refusal, STELE_EINVALID_FIELD, "shared-log", "this build has no PostgreSQL: set shared-log = none, or configure it "
        "with --with-postgresql");
    return NULL;
}

//  No object exists, so nothing calls the methods
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define NEVER(type, name, value, ...) type stele_shared_log_##name (__VA_ARGS__) { return value; }

NEVER (int, create, STELE_EUNAVAILABLE, stele_shared_log_t *self, const char *ledger_id, int64_t position)
NEVER (int, head, STELE_EUNAVAILABLE, stele_shared_log_t *self, stele_log_head_t *head)
NEVER (int, lead, STELE_EUNAVAILABLE, stele_shared_log_t *self, stele_log_head_t *head)
NEVER (int, send, STELE_EUNAVAILABLE, stele_shared_log_t *self, stele_batch_t *batch)
NEVER (int, poll, STELE_EUNAVAILABLE, stele_shared_log_t *self, int64_t wait_ms)
NEVER (bool, settled, true, stele_shared_log_t *self, int64_t wait_ms)
NEVER (int, renew, STELE_EUNAVAILABLE, stele_shared_log_t *self)
NEVER (int, resign, STELE_EUNAVAILABLE, stele_shared_log_t *self)
NEVER (bool, leads, false, const stele_shared_log_t *self)
NEVER (bool, replicated, false, const stele_shared_log_t *self)
NEVER (int64_t, safe, 0, stele_shared_log_t *self)
NEVER (int, fd, -1, const stele_shared_log_t *self)
NEVER (int, read, STELE_EUNAVAILABLE, stele_shared_log_t *self, stele_batch_end_t *end, int64_t upto,
    stele_shared_log_fn *fn, void *arg, stele_refusal_t *refusal)
NEVER (int, fetch, STELE_EUNAVAILABLE, stele_shared_log_t *self, const stele_batch_end_t *end, int64_t upto,
    stele_log_page_t **page, stele_refusal_t *refusal)
NEVER (const char *, error, "", const stele_shared_log_t *self)
NEVER (int, note, STELE_EUNAVAILABLE, stele_shared_log_t *self, const char *role, const stele_batch_end_t *end,
    stele_log_node_t *nodes)
NEVER (int, nodes, STELE_EUNAVAILABLE, stele_shared_log_t *self, stele_log_node_t *nodes)
NEVER (int, oldest, STELE_EUNAVAILABLE, stele_shared_log_t *self, stele_batch_end_t *end)
NEVER (int64_t, before, STELE_EUNAVAILABLE, stele_shared_log_t *self, int64_t position)
NEVER (int64_t, trim, STELE_EUNAVAILABLE, stele_shared_log_t *self, int64_t upto)
NEVER (int, last_event, STELE_EUNAVAILABLE, stele_shared_log_t *self, int64_t *position, int64_t *time_us)
NEVER (int, heal, STELE_EUNAVAILABLE, stele_shared_log_t *self, const stele_batch_end_t *end)
NEVER (const char *, node, "", const stele_shared_log_t *self)
NEVER (void, announce, (void) 0, stele_shared_log_t *self)
NEVER (void, destroy, (void) 0, stele_shared_log_t **self_p)

int
stele_log_page_next (stele_log_page_t *self, const stele_batch_end_t *end, stele_batch_t *batch, stele_refusal_t *refusal)
{
    return 0;
}

int64_t
stele_log_page_last (const stele_log_page_t *self)
{
    return 0;
}

void
stele_log_page_destroy (stele_log_page_t **self_p)
{
}
