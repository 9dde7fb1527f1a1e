/*  cache_align - connect to Redis, and decide: follow from its position, rebuild it, or keep off

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cache/cache_internal.h"
#include "fault/fault.h"
#include "base/clock.h"

#define HOLD_MS 8000                // PREFIX:holder expires after this
#define LOSSES_MAX 100

int
stele_cache_connect (stele_cache_t *self)
{
    if (stele_redis_connect (self->redis))
        return stele_cache_connection_lost (self);
    self->reconnects++;
    self->phase = STELE_PHASE_ALIGNING;
    STELE_FAULT (redis_connected);
    return 0;
}

//  A Redis that evicts keys when its memory is full loses live records. CONFIG may be denied.

static void
s_check_eviction_policy (stele_cache_t *self)
{
    stele_redis_command (self->redis, "CONFIG", "GET", "maxmemory-policy");
    redisReply *reply = stele_redis_reply (self->redis);
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
    &&  reply->element [1]->type == REDIS_REPLY_STRING
    &&  strcmp (reply->element [1]->str, "noeviction") != 0
    &&  strcmp (reply->element [1]->str, self->policy) != 0) {
        snprintf (self->policy, sizeof self->policy, "%s", reply->element [1]->str);
        stele_cache_warn (self, "Redis at %s has maxmemory-policy %s and evicts live "
            "records when its memory is full: set it to noeviction", self->url,
            self->policy);
    }
    freeReplyObject (reply);
}

typedef struct {
    const char *id;
    bool found;
} s_previous_t;

typedef struct {
    bool has_ledger;
    bool foreign;                   // It holds another ledger
    char ledger [64];               // Id of that ledger
    int64_t position;               // -1: none, or not a number
    int64_t swept;
    int64_t layout;
    int64_t committed_us;           // -1: none, as written by 0.1.0
} s_redis_state_t;

static int
s_read_state (stele_cache_t *self, s_redis_state_t *state)
{
    memset (state, 0, sizeof *state);
    stele_redis_command (self->redis, "GET", self->layout.ledger.data, NULL);
    stele_redis_command (self->redis, "GET", self->layout.position.data, NULL);
    stele_redis_command (self->redis, "GET", self->layout.swept.data, NULL);
    stele_redis_command (self->redis, "GET", self->layout.layout.data, NULL);
    stele_redis_command (self->redis, "GET", self->layout.committed.data, NULL);
    redisReply *reply = stele_redis_reply (self->redis);
    if (reply && reply->type == REDIS_REPLY_STRING) {
        state->has_ledger = true;
        state->foreign = !stele_reply_is_text (reply, self->ledger_id);
        snprintf (state->ledger, sizeof state->ledger, "%s", reply->str);
    }
    freeReplyObject (reply);
    reply = stele_redis_reply (self->redis);
    state->position = stele_reply_integer (reply, -1);
    freeReplyObject (reply);
    reply = stele_redis_reply (self->redis);
    state->swept = stele_reply_integer (reply, 0);
    freeReplyObject (reply);
    reply = stele_redis_reply (self->redis);
    state->layout = stele_reply_integer (reply, 1);
    freeReplyObject (reply);
    reply = stele_redis_reply (self->redis);
    state->committed_us = stele_reply_integer (reply, -1);
    freeReplyObject (reply);
    return stele_redis_connected (self->redis)? 0: stele_cache_connection_lost (self);
}

static int
s_is_previous_id (const stele_lost_t *lost, void *arg)
{
    s_previous_t *previous = arg;
    previous->found = strcmp (lost->ledger_id, previous->id) == 0;
    return previous->found;
}

//  Did this ledger have that id before an accepted loss?
static bool
s_was_ours (stele_reader_t *reader, const char *ledger_id)
{
    s_previous_t previous = { .id = ledger_id };
    stele_reader_losses (reader, LOSSES_MAX, s_is_previous_id, &previous);
    return previous.found;
}

//  Is another broker running with this Redis? There is one broker per file, so a value with this file is
//  of a run that has ended. Copies the value into 'holder'. The key is watched: s_set_hold fails if another
//  broker sets it in between.
static bool
s_held_by_other (stele_cache_t *self, stele_reader_t *reader, char *holder, size_t size_max)
{
    stele_redis_command (self->redis, "WATCH", self->layout.holder.data, NULL);
    freeReplyObject (stele_redis_reply (self->redis));
    stele_redis_command (self->redis, "GET", self->layout.holder.data, NULL);
    redisReply *reply = stele_redis_reply (self->redis);
    bool held = reply && reply->type == REDIS_REPLY_STRING;
    if (held)
        snprintf (holder, size_max, "%s", reply->str);
    freeReplyObject (reply);
    if (!held || strcmp (holder, self->holder) == 0)
        return false;
    const char *file = strchr (holder, ' ');
    if (file)
        return strcmp (file, strchr (self->holder, ' ')) != 0;
    //  Version 0.1.0 wrote the ledger only
    return strcmp (holder, self->ledger_id) != 0 && !(reader && s_was_ours (reader, holder));
}

//  Another broker keeps this Redis. If it is that of a copy, this broker stays away for good: with the
//  same id, the two would take turns whenever one of them is restarted.
static int
s_refuse_held (stele_cache_t *self, char *holder)
{
    int64_t now_ms = stele_clock_steady_ms ();
    bool copy = strncmp (holder, self->ledger_id, strlen (self->ledger_id)) == 0;
    holder [strcspn (holder, " ")] = 0;
    self->wait_ms = STELE_CACHE_WAIT_MAX_MS;
    if (!copy)
        return stele_cache_disconnect (self, "Redis at %s holds ledger %s (prefix %s), whose broker is "
            "running: use another prefix or db, or stop that broker", self->url, holder, self->layout.prefix);
    if (!self->copy_first_ms)
        self->copy_first_ms = now_ms;
    self->copy_last_ms = now_ms;
    return stele_cache_disconnect (self, "Redis at %s (prefix %s) is kept by another broker, whose ledger is "
        "a copy of this one or its original (%s): use another prefix or db for the copy, then restart its broker",
        self->url, self->layout.prefix, holder);
}

static int
s_set_hold (stele_cache_t *self)
{
    if (!stele_redis_connected (self->redis))
        return stele_cache_connection_lost (self);
    stele_redis_multi (self->redis);
    stele_redis_word (self->redis, "SET");
    stele_redis_bytes (self->redis, self->layout.holder.data, self->layout.holder.size);
    stele_redis_word (self->redis, self->holder);
    stele_redis_word (self->redis, "PX");
    stele_redis_integer (self->redis, HOLD_MS);
    stele_redis_end (self->redis);
    switch (stele_redis_exec (self->redis)) {
        case STELE_EXEC_DONE:
            self->held_ms = stele_clock_steady_ms ();
            return 0;
        case STELE_EXEC_CHANGED:
            return stele_cache_disconnect (self, "Redis at %s (prefix %s) was taken by another broker at the same moment: "
                "trying again", self->url, self->layout.prefix);
        case STELE_EXEC_LOST:
            return stele_cache_connection_lost (self);
        default:
            return stele_cache_refused (self, "refuses to write");
    }
}

int
stele_cache_hold (stele_cache_t *self)
{
    char holder [STELE_LAYOUT_HOLDER_MAX];
    if (self->held_ms && stele_clock_steady_ms () - self->held_ms < HOLD_MS / 4)
        return 0;
    if (s_held_by_other (self, NULL, holder, sizeof holder))
        return s_refuse_held (self, holder);
    return s_set_hold (self);
}

//  A copy whose PREFIX:holder was seen for longer than it lives was running, not left by a run that died
static bool
s_copy_ran (const stele_cache_t *self)
{
    return self->copy_last_ms - self->copy_first_ms > HOLD_MS;
}

//  Does what Redis holds belong to this history? A copy of this ledger went another way after some
//  position, and the times of its commits differ from there on.
static bool
s_same_history (stele_cache_t *self, stele_reader_t *reader, const s_redis_state_t *state)
{
    self->committed_us = stele_reader_commit_recorded (reader, state->position);
    return state->position == 0 || self->committed_us < 0 || state->committed_us < 0 || state->committed_us == self->committed_us;
}

int
stele_cache_align (stele_cache_t *self, stele_reader_t *reader)
{
    s_redis_state_t state;
    snprintf (self->ledger_id, sizeof self->ledger_id, "%s", stele_reader_ledger_id (reader));
    s_check_eviction_policy (self);
    if (s_read_state (self, &state))
        return STELE_EUNAVAILABLE;
    STELE_FAULT (redis_aligned);
    char holder [STELE_LAYOUT_HOLDER_MAX];
    stele_layout_holder (self->ledger_id, stele_reader_file_id (reader), self->holder);
    if (s_held_by_other (self, reader, holder, sizeof holder))
        return s_refuse_held (self, holder);
    if (s_copy_ran (self)) {
        self->wait_ms = STELE_CACHE_WAIT_MAX_MS;
        return stele_cache_disconnect (self, "Redis at %s (prefix %s) was kept by the broker of a copy of this ledger, "
            "or of its original, which has stopped: restart this broker to use it", self->url, self->layout.prefix);
    }
    self->copy_first_ms = self->copy_last_ms = 0;
    if (s_set_hold (self))
        return STELE_EUNAVAILABLE;
    if (state.foreign) {
        char why [160];
        snprintf (why, sizeof why, s_was_ours (reader, state.ledger)?
            "holds events of ledger %s that are lost": "HELD LEDGER %s, whose broker is gone",
            state.ledger);
        //  The records of another ledger are removed: an operator may have given two brokers one prefix
        int rc = stele_cache_rebuild_begin (self, reader, why);
        self->news_is_warning |= rc == 0;
        return rc;
    }
    if (self->must_rebuild)
        return stele_cache_rebuild_begin (self, reader, "executed a transaction only in part");
    if (!state.has_ledger && state.position < 0)
        return stele_cache_rebuild_begin (self, reader, "is empty");
    if (!state.has_ledger || state.position < 0)
        return stele_cache_rebuild_begin (self, reader, "lost its position");
    if (state.position > self->head) {
        char why [160];
        snprintf (why, sizeof why, "has %" PRId64 " events and the ledger has %" PRId64
            ": WERE EVENTS LOST? (a damaged or restored ledger)", state.position, self->head);
        return stele_cache_rebuild_begin (self, reader, why);
    }
    if (state.layout != STELE_LAYOUT_VERSION)
        return stele_cache_rebuild_begin (self, reader, "has the records of another version of steled");
    if (!s_same_history (self, reader, &state))
        return stele_cache_rebuild_begin (self, reader, "does not hold the history of this ledger: a copy of it may have written there");
    self->error_reported = false;
    stele_cache_report (self, "connected to Redis at %s, at position %" PRId64 " of %" PRId64,
        self->url, state.position, self->head);
    self->position = state.position;
    self->swept = state.swept < state.position? state.swept: state.position;
    self->rebuild_reported = true;
    self->following_ms = stele_clock_steady_ms ();
    self->phase = STELE_PHASE_FOLLOWING;
    return 0;
}
