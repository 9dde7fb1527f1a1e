/*  cache_request - shared by the requests on the cache: reach the head first, refuse with the last error

    It steps the state machine of cache.c, so it is above that, and nothing below calls it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include "cache/cache_internal.h"
#include "base/clock.h"

#define READY_MS 2000

int
stele_cache_ready (stele_cache_t *self, stele_reader_t *reader, stele_refusal_t *refusal)
{
    int64_t until_ms = stele_clock_steady_ms () + READY_MS;
    do {
        stele_cache_step (self, reader, stele_clock_us ());
        if (self->phase == STELE_PHASE_FOLLOWING && self->at_head)
            return 0;
        if (self->phase == STELE_PHASE_AWAY)
            return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "%s", self->last_error);
    } while (stele_clock_steady_ms () < until_ms);
    return stele_refuse (refusal, STELE_EUNAVAILABLE, NULL,
        "Redis at %s is still catching up (position %" PRId64 " of %" PRId64 "): retry later",
        self->url, stele_cache_position (self), self->head);
}

void
stele_cache_end_when (stele_cache_t *self, stele_cache_ends_fn *fn, void *arg)
{
    self->ends = fn;
    self->ends_arg = arg;
}

int
stele_cache_refuse_failed (stele_cache_t *self, int rc, stele_refusal_t *refusal)
{
    return stele_refuse (refusal, rc, NULL, "%s", self->last_error);
}
