/*  cache_follower - the follower that keeps Redis: a thread around stele_cache_t

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "broker/access/delegate.h"
#include "broker/access/identity_frame.h"
#include "broker/followers/follower.h"
#include "broker/common/answer.h"
#include "broker/operations/operations.h"
#include "broker/common/log.h"
#include "broker/common/mode.h"
#include "cache/cache.h"
#include "base/clock.h"
#include "wire/scan.h"

//  At startup Redis is compared with SQLite record by record if there are at most this many tasks;
//  otherwise only the position is compared, and consistency.check does the rest.
#define COMPARE_TASKS_MAX 20000
//  Interval of the background check: up to some 500 active records and those of 5000 events each
#define SCRUB_MS 1000
#define PAUSED_MS 1000

typedef struct {
    stele_follower_t follower;
    stele_cache_t *cache;
    int64_t started_us;             // Steady clock
    bool aligned;                   // ALIGNED was sent
    bool paused;                    // Another mode than dual: there is no cache
    int64_t epoch;                  // Of the shared log, for which the cache was made
} s_cache_t;

static void
s_log_news (s_cache_t *self)
{
    const char *news;
    while ((news = stele_cache_news (self->cache)))
        stele_log (stele_cache_news_is_warning (self->cache)? STELE_LOG_WARNING: STELE_LOG_INFO,
            stele_cache_state (self->cache) == STELE_CACHE_AWAY? "redis_away": "redis", NULL, "redis: %s", news);
}

//  Live for the first time: compare and repair, then report to the supervisor.
static void
s_align (s_cache_t *self)
{
    if (self->aligned || stele_cache_state (self->cache) != STELE_CACHE_LIVE)
        return;
    self->aligned = true;
    int64_t aligned_us = stele_clock_steady_us ();
    stele_ledger_stats_t stats = { 0 };
    stele_reader_stats (self->follower.reader, &stats);
    stele_pack_t *pack = self->follower.pack;
    stele_pack_clear (pack);
    size_t mark = stele_pack_open_map (pack);
    size_t count = 0;
    bool compared = stats.tasks <= COMPARE_TASKS_MAX;
    if (compared) {
        stele_refusal_t refusal;
        int entries = stele_cache_check (self->cache, self->follower.reader, true, pack, &refusal);
        if (entries > 0)
            count = (size_t) entries;
        else
            compared = false;
    }
    stele_pack_key_string (pack, "compared", compared? "records": "position");
    stele_pack_key_real (pack, "align_s", (double) (aligned_us - self->started_us) / 1e6);
    stele_pack_key_real (pack, "compare_s", (double) (stele_clock_steady_us () - aligned_us) / 1e6);
    stele_pack_close (pack, mark, count + 3);
    zsock_send (self->follower.pipe, "sb", "ALIGNED", stele_pack_data (pack), stele_pack_size (pack));
}

//  -- operations ------------------------------------------------------------------------

//  Each packs entries of its answer. Returns their number, or a code with the refusal.
typedef int (s_handler_fn) (s_cache_t *self, stele_params_t *params);

static int
s_recover_task (s_cache_t *self, stele_params_t *params)
{
    stele_span_t id = stele_params_id (params, "task_id");
    return params->refusal.code? params->refusal.code:
        stele_cache_recover_task (self->cache, self->follower.reader, id.text, id.size,
            self->follower.pack, &params->refusal);
}

static int
s_recover (s_cache_t *self, stele_params_t *params)
{
    static const char *const scopes [] = { "active", "all" };
    bool all = stele_params_choice (params, "scope", scopes, 2, 0, "active or all") == 1;
    return params->refusal.code? params->refusal.code:
        stele_cache_recover (self->cache, self->follower.reader, all,
            self->follower.pack, &params->refusal);
}

static int
s_check (s_cache_t *self, stele_params_t *params)
{
    bool repair = stele_params_bool (params, "repair", false);
    return params->refusal.code? params->refusal.code:
        stele_cache_check (self->cache, self->follower.reader, repair,
            self->follower.pack, &params->refusal);
}

static int
s_run (s_cache_t *self, stele_operation_id_t id, stele_params_t *params)
{
    static s_handler_fn *const handlers [STELE_OPERATION_COUNT] = {
        [STELE_OPERATION_TASK_RECOVER] = s_recover_task,
        [STELE_OPERATION_RECOVER] = s_recover,
        [STELE_OPERATION_CONSISTENCY_CHECK] = s_check
    };
    if (id < 0 || !handlers [id])
        return stele_params_fail (params, STELE_EUNKNOWN_OP, "op", "the cache has no such operation");
    if (stele_operation_check_scope (&stele_operations [id], params))
        return params->refusal.code;
    if (!self->follower.leads)
        return stele_params_fail (params, STELE_ENOT_WRITER, NULL, "this node follows the shared log: Redis is written by the "
            "node that leads; send this request to it ('writer' in stats.shared_log)");
    if (!self->cache)
        return stele_params_fail (params, STELE_EUNAVAILABLE, "redis",
            "Redis follows the ledger in mode dual only: 'stele mode dual'");
    return handlers [id] (self, params);
}

static void
s_answer (s_cache_t *self, stele_operation_id_t id, const stele_identity_t *key, const void *data, size_t size)
{
    stele_pack_t *pack = self->follower.pack;
    stele_params_t params;
    stele_delegate_t delegate;
    stele_params_start (&params, data, size);
    params.identity = stele_delegate_identity (&delegate, key, data, size, &params.refusal);
    stele_pack_clear (pack);
    size_t mark = stele_answer_open (pack, stele_reader_head (self->follower.reader));
    int entries = params.identity? s_run (self, id, &params): params.refusal.code;
    if (entries < 0)
        stele_answer_refuse (pack, &params.refusal, NULL, 0);
    else
        stele_answer_close (pack, mark, (size_t) entries);
}

static void
s_pack_stats (s_cache_t *self)
{
    int64_t head_time_us = stele_reader_commit_time (self->follower.reader, self->follower.head);
    stele_pack_clear (self->follower.pack);
    if (!self->cache) {
        stele_pack_map (self->follower.pack, 1);
        stele_pack_key_string (self->follower.pack, "state", "off");
        return;
    }
    stele_cache_pack_stats (self->cache, self->follower.head, head_time_us,
        stele_clock_us (), self->follower.pack);
}

//  Ends long steps of the cache: a command waits (DRAIN or $TERM)
static bool
s_ends (void *arg)
{
    s_cache_t *self = arg;
    return (zsock_events (self->follower.pipe) & ZMQ_POLLIN) != 0;
}

static int
s_open_cache (s_cache_t *self, stele_refusal_t *refusal)
{
    const stele_settings_t *settings = self->follower.settings;
    stele_cache_options_t options = {
        .url = settings->redis,
        .prefix = settings->redis_prefix,
        .legacy_keys = settings->legacy_keys,
        .terminal_ttl_s = settings->terminal_ttl_s,
        .check_interval_ms = SCRUB_MS,
        .epoch = self->follower.epoch
    };
    self->epoch = options.epoch;
    self->cache = stele_cache_new (&options, refusal);
    if (!self->cache)
        return refusal->code;
    stele_cache_end_when (self->cache, s_ends, self);
    return 0;
}

//  There is a cache while the mode is dual and this node leads, one per epoch. It starts from what Redis has then.
static void
s_set_cache (s_cache_t *self)
{
    stele_refusal_t refusal;
    bool wanted = !self->paused && self->follower.leads;
    if (!wanted || self->epoch != self->follower.epoch)
        stele_cache_destroy (&self->cache);
    if (wanted && !self->cache)
        s_open_cache (self, &refusal);
}

//  The writer sends this when the mode changes
static void
s_pause (s_cache_t *self, const void *data, size_t size)
{
    stele_token_t paused = stele_scan_find (data, size, "paused", NULL, NULL);
    self->paused = paused.kind == STELE_SCAN_BOOL && paused.integer;
    s_set_cache (self);
    stele_pack_clear (self->follower.pack);
    stele_pack_map (self->follower.pack, 0);
}

static void
s_mailbox (s_cache_t *self)
{
    zmsg_t *request;
    while ((request = stele_follower_request (&self->follower))) {
        zmsg_first (request);
        zmsg_next (request);
        zframe_t *body = zmsg_next (request);
        const stele_identity_t *key = stele_identity_of_frame (zmsg_next (request));
        const void *data = zframe_data (body);
        size_t size = zframe_size (body);
        stele_operation_id_t id = stele_operation_id (data, size);
        if (id == STELE_OPERATION_STATS)
            s_pack_stats (self);
        else
        if (id == STELE_OPERATION_PAUSE)
            s_pause (self, data, size);
        else
            s_answer (self, id, key, data, size);
        stele_follower_answer (&self->follower, &request);
    }
}

static void
s_answer_mailbox (void *arg)
{
    s_mailbox (arg);
}

//  At the head, or Redis is away or not followed: then it catches up later.
static bool
s_drained (void *arg)
{
    s_cache_t *self = arg;
    return !self->cache || stele_cache_state (self->cache) == STELE_CACHE_AWAY
        || stele_cache_position (self->cache) >= self->follower.head;
}

static int
s_step (void *arg)
{
    s_cache_t *self = arg;
    int wait_ms = PAUSED_MS;
    s_set_cache (self);
    if (self->cache) {
        wait_ms = stele_cache_step (self->cache, self->follower.reader, stele_clock_us ());
        s_log_news (self);
        s_align (self);
    }
    //  A new head does not bring Redis back any sooner
    self->follower.ignore_heads = self->cache? stele_cache_state (self->cache) == STELE_CACHE_AWAY: self->follower.leads;
    return wait_ms;
}

static int
s_open (void *arg, stele_refusal_t *refusal)
{
    s_cache_t *self = arg;
    self->started_us = stele_clock_steady_us ();
    self->paused = stele_mode_initial (self->follower.settings) != STELE_MODE_DUAL;
    //  Of a node that follows, the start is over without Redis
    self->aligned = !self->follower.leads;
    return self->paused || !self->follower.leads? 0: s_open_cache (self, refusal);
}

static void
s_close (void *arg)
{
    s_cache_t *self = arg;
    stele_cache_destroy (&self->cache);
}

void
stele_cache_follower (zsock_t *pipe, void *args)
{
    static const stele_follower_class_t class = {
        .name = "cache", .open = s_open, .step = s_step, .answer_mailbox = s_answer_mailbox,
        .drained = s_drained, .close = s_close
    };
    s_cache_t self = { .cache = NULL };
    stele_follower_run (&self.follower, &class, pipe, args);
}
