/*  cache - the state machine that keeps Redis in step with the ledger

                    connect                     its ledger, 0 <= position <= head
        +------+              +----------+                              +-----------+
     -->| away |------------->| aligning |----------------------------->| following |
        +------+              +----------+                              +-----------+
           ^ ^ the broker of    |    | empty, of another ledger, position     ^   |
           | +------------------+    | lost or ahead, or a transaction        |   |
           |   another ledger runs   | done in part                           |   |
           |                         v                                        |   |
           |                 +--------------------------------------------+   |   |
           |                 | wiping -> filling tasks -> filling sessions |--+   |
           |                 +--------------------------------------------+       |
           +--- disconnect: time-out, error reply, unexpected position -----------+

    Following is "catching up" until the head is reached, then "live". Every error
    leads to "away" and a new connection, so that no late answer on an old
    connection can be taken for the answer to another command.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include "cache/cache_internal.h"
#include "base/clock.h"
#include "base/memory.h"

#define TIMEOUT_MS 1000             // Per answer of Redis
#define VERIFY_MS 1000              // Between two checks of the position of an idle Redis
#define SWEEP_MS 10000
#define LEDGER_WAIT_MS 1000         // After a failed read of the ledger
#define TTL_MAX_S ((int64_t) 100 * 366 * 86400)

stele_cache_t *
stele_cache_new (const stele_cache_options_t *options, stele_refusal_t *refusal)
{
    stele_redis_url_t url;
    stele_cache_t *self = STELE_NEW (stele_cache_t);
    if (stele_redis_url_parse (&url, options->url, refusal)
    ||  stele_layout_init (&self->layout, options->prefix, refusal)) {
        free (self);
        return NULL;
    }
    stele_redis_url_print (&url, self->url, sizeof self->url);
    self->legacy_keys = options->legacy_keys;
    int64_t ttl_s = options->terminal_ttl_s < TTL_MAX_S? options->terminal_ttl_s: TTL_MAX_S;
    self->terminal_ttl_us = ttl_s * 1000000;
    self->background.interval_ms = options->check_interval_ms;
    self->epoch = options->epoch;
    self->redis = stele_redis_new (&url, TIMEOUT_MS);
    self->batch = stele_batch_new ();
    self->scratch = stele_pack_new ();
    assert (self->scratch);
    self->wait_ms = STELE_CACHE_WAIT_MIN_MS;
    return self;
}

void
stele_cache_destroy (stele_cache_t **self_p)
{
    assert (self_p);
    stele_cache_t *self = *self_p;
    if (!self)
        return;
    if (self->held_ms && stele_redis_connected (self->redis)) {
        stele_redis_command (self->redis, "WATCH", self->layout.holder.data, NULL);
        freeReplyObject (stele_redis_reply (self->redis));
        stele_redis_command (self->redis, "GET", self->layout.holder.data, NULL);
        redisReply *reply = stele_redis_reply (self->redis);
        //  Unless another broker took it since: then EXEC does nothing
        if (stele_reply_is_text (reply, self->holder)) {
            stele_redis_multi (self->redis);
            stele_redis_command (self->redis, "DEL", self->layout.holder.data, NULL);
            stele_redis_exec (self->redis);
        }
        freeReplyObject (reply);
    }
    stele_redis_destroy (&self->redis);
    stele_batch_destroy (&self->batch);
    stele_pack_destroy (&self->scratch);
    free (self->changed);
    free (self);
    *self_p = NULL;
}

//  -- following ------------------------------------------------------------------------

static void
s_reached_head (stele_cache_t *self)
{
    self->at_head = true;
    self->error_reported = false;
    self->failing = false;
    if (self->rebuild_reported)
        return;
    self->rebuild_reported = true;
    stele_cache_report (self, "rebuilt Redis at %s: %" PRId64 " active tasks, position %" PRId64
        ", in %.1f s", self->url, self->rebuilt_tasks, self->position,
        (double) (stele_clock_steady_ms () - self->rebuild_began_ms) / 1e3);
}

static int
s_follow (stele_cache_t *self, stele_reader_t *reader)
{
    int rc = 0;
    int64_t now_ms = stele_clock_steady_ms ();
    if (self->position > self->head)
        return stele_cache_disconnect (self, "Redis at %s is ahead of the ledger", self->url);
    if (self->position < self->head)
        rc = stele_cache_apply (self, reader, self->head);
    else
    if (now_ms - self->checked_ms >= VERIFY_MS)
        rc = stele_cache_verify (self);
    if (rc == 0 && now_ms >= self->sweep_ms) {
        rc = stele_cache_sweep (self, reader);
        if (rc == 1) {
            self->sweep_ms = now_ms + SWEEP_MS;
            rc = 0;
        }
    }
    if (rc == 0 && self->at_head && self->position >= self->head)
        rc = stele_cache_background_check (self, reader);
    if (rc == 0 && self->position >= self->head)
        s_reached_head (self);
    else
        self->at_head = false;
    return rc;
}

//  Since when does Redis lag? For the statistics.

static void
s_note_lag (stele_cache_t *self, stele_reader_t *reader)
{
    if (self->position >= self->head || self->lag_position == self->position + 1)
        return;
    int64_t since_us = stele_reader_commit_time (reader, self->position + 1);
    if (since_us > 0) {
        self->lag_position = self->position + 1;
        self->lag_since_us = since_us;
    }
}

//  Since when is it in this state? For the statistics.
static void
s_note_state (stele_cache_t *self)
{
    if (self->state_since_ms && self->state_seen == stele_cache_state (self))
        return;
    self->state_seen = stele_cache_state (self);
    self->state_since_ms = stele_clock_steady_ms ();
}

static int
s_work (stele_cache_t *self, stele_reader_t *reader)
{
    switch (self->phase) {
        case STELE_PHASE_AWAY:
            return stele_cache_connect (self);
        case STELE_PHASE_ALIGNING:
            return stele_cache_align (self, reader);
        case STELE_PHASE_FOLLOWING:
            return s_follow (self, reader);
        default:
            return stele_cache_rebuild_step (self, reader);
    }
}

int
stele_cache_step (stele_cache_t *self, stele_reader_t *reader, int64_t now_us)
{
    self->now_us = now_us;
    s_note_state (self);
    int64_t wait_ms = self->retry_ms - stele_clock_steady_ms ();
    int64_t head = stele_reader_head (reader);
    if (head < 0) {
        stele_cache_ledger_failed (self, reader, (int) head);
        return LEDGER_WAIT_MS;
    }
    self->head = head;
    s_note_lag (self, reader);
    if (self->phase == STELE_PHASE_AWAY && wait_ms > 0)
        return (int) wait_ms;

    int rc = s_work (self, reader);
    if (rc == 0 && self->phase > STELE_PHASE_ALIGNING)
        rc = stele_cache_hold (self);
    if (self->phase > STELE_PHASE_ALIGNING && !stele_redis_connected (self->redis))
        stele_cache_connection_lost (self);
    if (self->phase == STELE_PHASE_AWAY) {
        wait_ms = self->retry_ms - stele_clock_steady_ms ();
        return wait_ms > 1? (int) wait_ms: 1;
    }
    if (rc)
        return LEDGER_WAIT_MS;
    int64_t now_ms = stele_clock_steady_ms ();
    if (!self->at_head || self->sweep_ms <= now_ms)
        return 0;
    wait_ms = self->background.interval_ms? self->background.due_ms - now_ms: VERIFY_MS;
    return wait_ms > VERIFY_MS? VERIFY_MS: wait_ms > 0? (int) wait_ms: 0;
}

//  -- state and statistics ---------------------------------------------------------------

stele_cache_state_t
stele_cache_state (const stele_cache_t *self)
{
    switch (self->phase) {
        case STELE_PHASE_AWAY:
        case STELE_PHASE_ALIGNING:
            return STELE_CACHE_AWAY;
        case STELE_PHASE_FOLLOWING:
            return self->failing? STELE_CACHE_AWAY: self->at_head? STELE_CACHE_LIVE: STELE_CACHE_CATCHING_UP;
        default:
            return STELE_CACHE_REBUILDING;
    }
}

int64_t
stele_cache_position (const stele_cache_t *self)
{
    return self->phase == STELE_PHASE_FOLLOWING? self->position: 0;
}

void
stele_cache_pack_stats (const stele_cache_t *self, int64_t head, int64_t head_time_us,
    int64_t now_us, stele_pack_t *pack)
{
    static const char *const states [] = {
        [STELE_CACHE_AWAY] = "away", [STELE_CACHE_REBUILDING] = "rebuilding",
        [STELE_CACHE_CATCHING_UP] = "catching_up", [STELE_CACHE_LIVE] = "live"
    };
    int64_t lag_events = head > self->position? head - self->position: 0;
    int64_t since_us = self->lag_position == self->position + 1? self->lag_since_us:
        head_time_us;
    int64_t lag_ms = lag_events && since_us && now_us > since_us? (now_us - since_us) / 1000: 0;

    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "state", states [stele_cache_state (self)]);
    stele_pack_key_integer (pack, "state_ms", self->state_since_ms && stele_cache_state (self) == self->state_seen?
        stele_clock_steady_ms () - self->state_since_ms: 0);
    stele_pack_key_integer (pack, "position", self->position);
    stele_pack_key_integer (pack, "lag_events", lag_events);
    stele_pack_key_integer (pack, "lag_ms", lag_ms);
    stele_pack_key_integer (pack, "applied", self->applied);
    stele_pack_key_integer (pack, "batches", self->batches);
    stele_pack_key_integer (pack, "rebuilds", self->rebuilds);
    stele_pack_key_integer (pack, "reconnects", self->reconnects > 1? self->reconnects - 1: 0);
    stele_pack_key_integer (pack, "errors", self->errors);
    stele_pack_key_integer (pack, "evicted", self->evicted);
    stele_pack_key_integer (pack, "repaired", self->repaired);
    stele_pack_key_string (pack, "last_error", self->last_error [0]? self->last_error: NULL);
    if (self->cause && stele_cache_state (self) == STELE_CACHE_AWAY) {
        stele_pack_key_string (pack, "cause", self->cause->cause);
        stele_pack_key_string (pack, "remedy", self->cause->remedy);
    }
    stele_pack_key_string (pack, "url", self->url);
    stele_pack_map_end (pack);
}
