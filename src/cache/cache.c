/*  cache - the follower: its states, and what moves it from one to the next

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
           +--- doubt: time-out, error reply, not where it was left --------------+

    Following is "catching up" until the head is reached, then "live". Every way
    back leads over "away" and a new connection, so that no answer of an old
    one can be taken for that of another command.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cache/cache_internal.h"
#include "fault/fault.h"
#include "base/clock.h"

#define TIMEOUT_MS 1000             // Of one answer of Redis
#define WAIT_MIN_MS 100             // Back-off
#define WAIT_MAX_MS 5000
#define CALM_MS 3000                // After following so long the back-off starts over
#define VERIFY_MS 1000              // An idle Redis is looked at so often
#define SWEEP_MS 10000
#define HOLD_MS 8000                // A broker that is gone holds Redis so long
#define LOSSES_MAX 100
#define LEDGER_WAIT_MS 1000         // After a failed read of the ledger
#define TTL_MAX_S ((int64_t) 100 * 366 * 86400)

stele_cache_t *
stele_cache_new (const stele_cache_options_t *options, stele_refusal_t *refusal)
{
    stele_redis_url_t url;
    stele_cache_t *self = calloc (1, sizeof *self);
    assert (self);
    if (stele_redis_url_parse (&url, options->url, refusal)
    ||  stele_layout_init (&self->layout, options->prefix, refusal)) {
        free (self);
        return NULL;
    }
    stele_redis_url_print (&url, self->url, sizeof self->url);
    self->legacy_keys = options->legacy_keys;
    int64_t ttl_s = options->terminal_ttl_s < TTL_MAX_S? options->terminal_ttl_s: TTL_MAX_S;
    self->terminal_ttl_us = ttl_s * 1000000;
    self->scrub.every_ms = options->scrub_ms;
    self->redis = stele_redis_new (&url, TIMEOUT_MS);
    self->batch = stele_batch_new ();
    self->scratch = stele_pack_new ();
    assert (self->scratch);
    self->wait_ms = WAIT_MIN_MS;
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
        stele_redis_command (self->redis, "DEL", self->layout.holder.data, NULL);
        freeReplyObject (stele_redis_reply (self->redis));
    }
    stele_redis_destroy (&self->redis);
    stele_batch_destroy (&self->batch);
    stele_pack_destroy (&self->scratch);
    free (self->touched);
    free (self);
    *self_p = NULL;
}

//  -- news and doubt -----------------------------------------------------------------

void
stele_cache_tell (stele_cache_t *self, const char *format, ...)
{
    //  What was not yet fetched stays in front
    size_t used = self->news_read? 0: strlen (self->news);
    if (used && used + 2 < sizeof self->news) {
        memcpy (self->news + used, "; ", 3);
        used += 2;
    }
    va_list args;
    va_start (args, format);
    vsnprintf (self->news + used, sizeof self->news - used, format, args);
    va_end (args);
    self->news_read = false;
}

const char *
stele_cache_news (stele_cache_t *self)
{
    if (self->news_read || !self->news [0])
        return NULL;
    self->news_read = true;
    return self->news;
}

//  Keep a reason; news only where it is another one than the last time

static void
s_set_error (stele_cache_t *self, const char *text)
{
    if (strcmp (self->last_error, text) != 0 || !self->error_told)
        stele_cache_tell (self, "%s", text);
    self->error_told = true;
    snprintf (self->last_error, sizeof self->last_error, "%s", text);
    self->errors++;
}

static void
s_go_away (stele_cache_t *self)
{
    int64_t now_ms = stele_clock_steady_ms ();
    if (self->phase == STELE_PHASE_FOLLOWING && now_ms - self->following_ms > CALM_MS)
        self->wait_ms = WAIT_MIN_MS;
    stele_redis_disconnect (self->redis);
    stele_batch_clear (self->batch);
    self->phase = STELE_PHASE_AWAY;
    self->at_head = false;
    self->rebuild_head = 0;
    self->retry_ms = now_ms + self->wait_ms;
    self->wait_ms = self->wait_ms * 2 < WAIT_MAX_MS? self->wait_ms * 2: WAIT_MAX_MS;
}

int
stele_cache_doubt (stele_cache_t *self, const char *format, ...)
{
    char text [sizeof self->last_error];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    s_set_error (self, text);
    s_go_away (self);
    return STELE_EUNAVAILABLE;
}

int
stele_cache_lost (stele_cache_t *self)
{
    return stele_cache_doubt (self, "Redis at %s is away: %s", self->url,
        stele_redis_error (self->redis));
}

int
stele_cache_ledger_failed (stele_cache_t *self, stele_reader_t *reader, int code)
{
    char text [sizeof self->last_error];
    snprintf (text, sizeof text, "the follower cannot read the ledger: %s",
        stele_reader_error (reader));
    s_set_error (self, text);
    return code;
}

//  -- aligning -------------------------------------------------------------------------

static int
s_connect (stele_cache_t *self)
{
    if (stele_redis_connect (self->redis))
        return stele_cache_lost (self);
    self->reconnects++;
    self->phase = STELE_PHASE_ALIGNING;
    STELE_FAULT (redis_connected);
    return 0;
}

//  A Redis that may drop keys when it is full loses live ones. It may not let us ask.

static void
s_warn_of_policy (stele_cache_t *self)
{
    stele_redis_command (self->redis, "CONFIG", "GET", "maxmemory-policy");
    redisReply *reply = stele_redis_reply (self->redis);
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
    &&  reply->element [1]->type == REDIS_REPLY_STRING
    &&  strcmp (reply->element [1]->str, "noeviction") != 0
    &&  strcmp (reply->element [1]->str, self->policy) != 0) {
        snprintf (self->policy, sizeof self->policy, "%s", reply->element [1]->str);
        stele_cache_tell (self, "WARNING: Redis at %s has maxmemory-policy %s and drops live "
            "records when its memory is full: set it to noeviction", self->url,
            self->policy);
    }
    freeReplyObject (reply);
}

typedef struct {
    const char *id;
    bool is;
} s_former_t;

typedef struct {
    bool foreign;
    char ledger [64];               // Of whom it is, where it is foreign
    bool has_ledger;
    int64_t position;               // -1: none, or none that can be read
    int64_t swept;
} s_state_t;

static int
s_read_state (stele_cache_t *self, s_state_t *stand)
{
    memset (stand, 0, sizeof *stand);
    stele_redis_command (self->redis, "GET", self->layout.ledger.data, NULL);
    stele_redis_command (self->redis, "GET", self->layout.position.data, NULL);
    stele_redis_command (self->redis, "GET", self->layout.swept.data, NULL);
    redisReply *reply = stele_redis_reply (self->redis);
    if (reply && reply->type == REDIS_REPLY_STRING) {
        stand->has_ledger = true;
        stand->foreign = !stele_reply_is_text (reply, self->ledger_id);
        snprintf (stand->ledger, sizeof stand->ledger, "%s", reply->str);
    }
    freeReplyObject (reply);
    reply = stele_redis_reply (self->redis);
    stand->position = stele_reply_integer (reply, -1);
    freeReplyObject (reply);
    reply = stele_redis_reply (self->redis);
    stand->swept = stele_reply_integer (reply, 0);
    freeReplyObject (reply);
    return stele_redis_connected (self->redis)? 0: stele_cache_lost (self);
}

//  Say that this ledger's broker is here, for HOLD_MS. Only where Redis was just seen to
//  be ours: a broker that slept and was taken over must not say so.
static void
s_hold (stele_cache_t *self)
{
    int64_t now_ms = stele_clock_steady_ms ();
    if (self->held_ms && now_ms - self->held_ms < HOLD_MS / 4)
        return;
    self->held_ms = now_ms;
    stele_redis_word (self->redis, "SET");
    stele_redis_bytes (self->redis, self->layout.holder.data, self->layout.holder.size);
    stele_redis_word (self->redis, self->ledger_id);
    stele_redis_word (self->redis, "PX");
    stele_redis_integer (self->redis, HOLD_MS);
    stele_redis_end (self->redis);
    freeReplyObject (stele_redis_reply (self->redis));
}

static int
s_is_former (const stele_lost_t *lost, void *arg)
{
    s_former_t *former = arg;
    former->is = strcmp (lost->ledger_id, former->id) == 0;
    return former->is;
}

//  Is it the id of our own ledger before a loss that was accepted?
static bool
s_was_ours (stele_reader_t *reader, const char *ledger_id)
{
    s_former_t former = { .id = ledger_id };
    stele_reader_losses (reader, LOSSES_MAX, s_is_former, &former);
    return former.is;
}

//  Is the broker of another ledger here at this moment? Its ledger into 'holder'.
static bool
s_held_by_other (stele_cache_t *self, char *holder, size_t size_max)
{
    stele_redis_command (self->redis, "GET", self->layout.holder.data, NULL);
    redisReply *reply = stele_redis_reply (self->redis);
    bool held = reply && reply->type == REDIS_REPLY_STRING
        && !stele_reply_is_text (reply, self->ledger_id);
    if (held)
        snprintf (holder, size_max, "%s", reply->str);
    freeReplyObject (reply);
    return held;
}

static int
s_refuse_foreign (stele_cache_t *self, const char *ledger)
{
    self->wait_ms = WAIT_MAX_MS;
    return stele_cache_doubt (self, "Redis at %s holds ledger %s (prefix %s), whose broker is "
        "running: use another prefix or db, or stop that broker", self->url, ledger,
        self->layout.prefix);
}

static int
s_align (stele_cache_t *self, stele_reader_t *reader)
{
    s_state_t stand;
    snprintf (self->ledger_id, sizeof self->ledger_id, "%s", stele_reader_ledger_id (reader));
    s_warn_of_policy (self);
    if (s_read_state (self, &stand))
        return STELE_EUNAVAILABLE;
    STELE_FAULT (redis_aligned);
    char holder [64];
    if (s_held_by_other (self, holder, sizeof holder) && !s_was_ours (reader, holder))
        return s_refuse_foreign (self, holder);
    if (!stele_redis_connected (self->redis))
        return stele_cache_lost (self);
    self->held_ms = 0;              // Whatever was said before may be lost
    s_hold (self);
    if (stand.foreign) {
        char why [160];
        snprintf (why, sizeof why, s_was_ours (reader, stand.ledger)?
            "holds events of ledger %s that are lost": "HELD LEDGER %s, whose broker is gone",
            stand.ledger);
        return stele_cache_rebuild_begin (self, reader, why);
    }
    if (self->must_rebuild)
        return stele_cache_rebuild_begin (self, reader, "did a transaction only in part");
    if (!stand.has_ledger && stand.position < 0)
        return stele_cache_rebuild_begin (self, reader, "is empty");
    if (!stand.has_ledger || stand.position < 0)
        return stele_cache_rebuild_begin (self, reader, "lost its position");
    if (stand.position > self->head) {
        char why [160];
        snprintf (why, sizeof why, "knows %" PRId64 " events and the ledger has %" PRId64
            ": WERE EVENTS LOST? (a damaged or restored ledger)", stand.position, self->head);
        return stele_cache_rebuild_begin (self, reader, why);
    }
    self->error_told = false;
    stele_cache_tell (self, "connected to Redis at %s, at position %" PRId64 " of %" PRId64,
        self->url, stand.position, self->head);
    self->position = stand.position;
    self->swept = stand.swept < stand.position? stand.swept: stand.position;
    self->rebuild_told = true;
    self->following_ms = stele_clock_steady_ms ();
    self->phase = STELE_PHASE_FOLLOWING;
    return 0;
}

//  -- following ------------------------------------------------------------------------

static void
s_reached_head (stele_cache_t *self)
{
    self->at_head = true;
    self->error_told = false;
    if (self->rebuild_told)
        return;
    self->rebuild_told = true;
    stele_cache_tell (self, "rebuilt Redis at %s: %" PRId64 " active tasks, position %" PRId64
        ", in %.1f s", self->url, self->rebuilt_tasks, self->position,
        (double) (stele_clock_steady_ms () - self->rebuild_began_ms) / 1e3);
}

static int
s_follow (stele_cache_t *self, stele_reader_t *reader)
{
    int rc = 0;
    int64_t now_ms = stele_clock_steady_ms ();
    if (self->position > self->head)
        return stele_cache_doubt (self, "Redis at %s is ahead of the ledger", self->url);
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
        rc = stele_cache_scrub (self, reader);
    if (rc == 0 && self->position >= self->head)
        s_reached_head (self);
    else
        self->at_head = false;
    return rc;
}

//  Since when does Redis lack what it lacks? For the statistics.

static void
s_note_lag (stele_cache_t *self, stele_reader_t *reader)
{
    if (self->position >= self->head || self->behind_position == self->position + 1)
        return;
    int64_t since_us = stele_reader_commit_time (reader, self->position + 1);
    if (since_us > 0) {
        self->behind_position = self->position + 1;
        self->behind_since_us = since_us;
    }
}

static int
s_work (stele_cache_t *self, stele_reader_t *reader)
{
    switch (self->phase) {
        case STELE_PHASE_AWAY:
            return s_connect (self);
        case STELE_PHASE_ALIGNING:
            return s_align (self, reader);
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
        s_hold (self);
    if (self->phase > STELE_PHASE_ALIGNING && !stele_redis_connected (self->redis))
        stele_cache_lost (self);
    if (self->phase == STELE_PHASE_AWAY) {
        wait_ms = self->retry_ms - stele_clock_steady_ms ();
        return wait_ms > 1? (int) wait_ms: 1;
    }
    if (rc)
        return LEDGER_WAIT_MS;
    int64_t now_ms = stele_clock_steady_ms ();
    if (!self->at_head || self->sweep_ms <= now_ms)
        return 0;
    wait_ms = self->scrub.every_ms? self->scrub.due_ms - now_ms: VERIFY_MS;
    return wait_ms > VERIFY_MS? VERIFY_MS: wait_ms > 0? (int) wait_ms: 0;
}

//  -- what it says of itself -------------------------------------------------------------

stele_cache_state_t
stele_cache_state (const stele_cache_t *self)
{
    switch (self->phase) {
        case STELE_PHASE_AWAY:
        case STELE_PHASE_ALIGNING:
            return STELE_CACHE_AWAY;
        case STELE_PHASE_FOLLOWING:
            return self->at_head? STELE_CACHE_LIVE: STELE_CACHE_CATCHING_UP;
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
    int64_t since_us = self->behind_position == self->position + 1? self->behind_since_us:
        head_time_us;
    int64_t lag_ms = lag_events && since_us && now_us > since_us? (now_us - since_us) / 1000: 0;

    stele_pack_map (pack, 13);
    stele_pack_key_string (pack, "state", states [stele_cache_state (self)]);
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
    stele_pack_key_string (pack, "url", self->url);
}
