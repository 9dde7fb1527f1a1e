/*  cache_follower - the follower that keeps Redis: a thread around stele_cache_t

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "broker/common/actor.h"
#include "broker/followers/follower.h"
#include "broker/common/answer.h"
#include "broker/operations/operations.h"
#include "broker/common/mode.h"
#include "broker/common/poll.h"
#include "cache/cache.h"
#include "base/clock.h"
#include "base/thread.h"
#include "wire/scan.h"

//  At a start Redis is compared with SQLite record by record up to this many live
//  records; above it the cursor is what is compared, and consistency.check does the rest.
#define COMPARE_TASKS_MAX 20000
//  In passing, up to some 500 active records and those of 5000 events are compared so often
#define SCRUB_MS 1000
#define PAUSED_MS 1000

typedef struct {
    stele_follower_t follower;
    stele_cache_t *cache;
    int64_t started_us;
    int64_t applied_head_us;        // Wall clock of the commit at the head
    bool aligned;
    bool draining;
    bool paused;                    // Another mode than dual: there is no cache
} s_cache_t;

static void
s_news (s_cache_t *self)
{
    const char *news;
    while ((news = stele_cache_news (self->cache)))
        zsys_info ("redis: %s", news);
}

//  Live for the first time: compare and repair, and tell the supervisor.
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
        return stele_params_fail (params, STELE_EUNKNOWN_OP, "op", "the cache does not know that operation");
    if (!self->cache)
        return stele_params_fail (params, STELE_EUNAVAILABLE, NULL,
            "Redis follows the ledger in mode dual only: 'stele mode dual'");
    return handlers [id] (self, params);
}

static void
s_answer (s_cache_t *self, stele_operation_id_t id, const void *data, size_t size)
{
    stele_pack_t *pack = self->follower.pack;
    stele_params_t params;
    stele_params_start (&params, data, size);
    stele_pack_clear (pack);
    size_t mark = stele_answer_open (pack, stele_reader_head (self->follower.reader));
    int entries = s_run (self, id, &params);
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

//  Somebody has a word for this actor: DRAIN or $TERM
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
        .check_interval_ms = SCRUB_MS
    };
    self->cache = stele_cache_new (&options, refusal);
    if (!self->cache)
        return refusal->code;
    stele_cache_end_when (self->cache, s_ends, self);
    return 0;
}

//  The writer says so when the mode changes. A cache that follows again begins with what
//  Redis has then.
static void
s_pause (s_cache_t *self, const void *data, size_t size)
{
    stele_token_t paused = stele_scan_find (data, size, "paused", NULL, NULL);
    self->paused = paused.kind == STELE_SCAN_BOOL && paused.integer;
    stele_refusal_t refusal;
    if (self->paused)
        stele_cache_destroy (&self->cache);
    else
    if (!self->cache)
        s_open_cache (self, &refusal);
    stele_pack_clear (self->follower.pack);
    stele_pack_map (self->follower.pack, 0);
}

static void
s_mailbox (s_cache_t *self)
{
    zmsg_t *request;
    while ((request = stele_follower_request (&self->follower))) {
        zframe_t *body = zmsg_last (request);
        const void *data = zframe_data (body);
        size_t size = zframe_size (body);
        stele_operation_id_t id = stele_operation_id (data, size);
        if (id == STELE_OPERATION_STATS)
            s_pack_stats (self);
        else
        if (id == STELE_OPERATION_PAUSE)
            s_pause (self, data, size);
        else
            s_answer (self, id, data, size);
        stele_follower_answer (&self->follower, &request);
    }
}

static bool
s_command (s_cache_t *self)
{
    char *command = zstr_recv (self->follower.pipe);
    bool goes_on = command && strneq (command, "$TERM");
    if (goes_on && streq (command, "DRAIN"))
        self->draining = true;
    zstr_free (&command);
    return goes_on;
}

//  At the head, or with nobody to bring there: a Redis that is away is caught up later.
static bool
s_drained (s_cache_t *self)
{
    return !self->cache || stele_cache_state (self->cache) == STELE_CACHE_AWAY
        || stele_cache_position (self->cache) >= self->follower.head;
}

static void
s_loop (s_cache_t *self)
{
    bool goes_on = true;
    int wait_ms = 0;
    while (goes_on) {
        zmq_pollitem_t items [] = {
            { zsock_resolve (self->follower.pipe), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->follower.mailbox), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->follower.heads), 0, ZMQ_POLLIN, 0 }
        };
        //  While Redis is away a new head is no reason to hurry
        bool away = !self->cache || stele_cache_state (self->cache) == STELE_CACHE_AWAY;
        if (stele_poll (items, away? 2: 3, wait_ms) < 0)
            break;
        if (items [0].revents & ZMQ_POLLIN)
            goes_on = s_command (self);
        stele_follower_hear (&self->follower);
        s_mailbox (self);
        if (!goes_on)
            break;
        if (self->cache) {
            wait_ms = stele_cache_step (self->cache, self->follower.reader, stele_clock_us ());
            s_news (self);
            s_align (self);
        }
        else
            wait_ms = PAUSED_MS;
        if (self->draining && s_drained (self)) {
            self->draining = false;
            zstr_send (self->follower.pipe, "DRAINED");
        }
    }
}

void
stele_cache_follower (zsock_t *pipe, void *args)
{
    s_cache_t self = { .started_us = stele_clock_steady_us () };
    stele_refusal_t refusal = { 0 };
    zsock_signal (pipe, 0);
    stele_thread_name ("cache");
    int code = stele_follower_open (&self.follower, pipe, args, "cache", &refusal);
    const stele_settings_t *settings = self.follower.settings;
    self.paused = code == 0 && stele_mode_initial (settings) != STELE_MODE_DUAL;
    if (code == 0 && !self.paused)
        code = s_open_cache (&self, &refusal);
    if (code)
        zstr_sendx (pipe, "FAILED", refusal.message, NULL);
    else {
        zstr_sendx (pipe, "READY", settings->redis, NULL);
        s_loop (&self);
    }
    stele_cache_destroy (&self.cache);
    stele_follower_close (&self.follower);
    STELE_TSAN_RELEASE (self.follower.settings);
}
