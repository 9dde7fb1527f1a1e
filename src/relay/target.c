/*  target - a thread that delivers events to one target

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "broker/common/log.h"
#include "relay/target_internal.h"

#define COMMIT_MS 200               // Between two commits; after a kill, deliveries of this time are repeated
#define LOOK_MS 500                 // Between two looks for changes by commands
#define IDLE_MS 1000
#define STOP_MS 5000                // For requests in flight

void
relay_target_bury (relay_target_t *self, relay_item_t *item, const char *reason)
{
    self->dead = stele_array_must_grow (self->dead, &self->dead_room, self->dead_count + 1, sizeof *self->dead);
    relay_dead_t *dead = &self->dead [self->dead_count++];
    *dead = (relay_dead_t) { .position = item->position, .attempts = item->attempts, .dead_us = stele_clock_us () };
    strcpy (dead->ledger, self->cursor.ledger);
    snprintf (dead->subject, sizeof dead->subject, "%s", item->subject);
    snprintf (dead->reason, sizeof dead->reason, "%s", reason);
    stele_log_error ("dead_letter", "target %s: event %" PRId64 " is a dead letter after %" PRId64 " requests: %s; 'stele-relay dead retry %s' "
        "tries it again", self->settings->name, item->position, item->attempts, reason, self->settings->name);
    relay_queue_remove (&self->queue, item);
    self->dirty = self->flush = true;
}

//  -- the state -----------------------------------------------------------------------------------------

//  Forget everything that is in memory
static void
s_clear (relay_target_t *self)
{
    for (size_t i = 0; i < self->queue.count; i++) {
        relay_post_t *post = self->queue.items [i]->request;
        relay_post_abort (&self->poster, &post);
    }
    relay_queue_clear (&self->queue);
    stele_event_destroy (&self->held);
    relay_source_pause (self->source);
    self->dead_count = 0;
    self->loaded = self->dirty = self->flush = false;
    self->hold_until_ms = self->hold_failures = self->source_again_ms = 0;
}

static int
s_write (relay_target_t *self)
{
    const char *name = self->settings->name;
    //  Before the queue is loaded, its events are only in the state
    int rc = relay_state_begin (self->state, name, &self->cursor, self->loaded);
    for (size_t i = 0; i < self->queue.count && rc == 0 && self->loaded; i++) {
        const relay_item_t *item = self->queue.items [i];
        rc = relay_state_put_pending (self->state, name, &(relay_pending_t) { item->position, item->attempts, item->first_us });
        if (rc == 0 && item->was_dead)
            rc = relay_state_drop_dead (self->state, name, item->position);
    }
    for (size_t i = 0; i < self->dead_count && rc == 0; i++)
        rc = relay_state_put_dead (self->state, name, &self->dead [i]);
    return rc == 0? relay_state_end (self->state): rc;
}

static void
s_commit (relay_target_t *self, int64_t now_ms)
{
    int rc = s_write (self);
    self->committed_ms = now_ms;
    if (rc == STELE_EFENCED) {
        s_clear (self);
        rc = relay_state_cursor (self->state, self->settings->name, true, &self->cursor);
    }
    if (rc != 0) {
        if (!self->commit_failing)
            stele_log_error ("state", "target %s: cannot write the state: %s; nothing is delivered until it can be written",
                self->settings->name, relay_state_error (self->state));
        self->commit_failing = true;
        return;
    }
    if (self->commit_failing)
        stele_log_info ("state", "target %s: the state can be written again", self->settings->name);
    self->commit_failing = self->dirty = self->flush = false;
    self->dead_count = 0;
    for (size_t i = 0; i < self->queue.count; i++)
        self->queue.items [i]->was_dead = false;
}

//  Has a command changed something?
static void
s_look (relay_target_t *self, int64_t now_ms)
{
    int64_t version = relay_state_version (self->state);
    self->looked_ms = now_ms;
    if (version == self->version)
        return;
    relay_cursor_t cursor;
    self->version = version;
    if (relay_state_cursor (self->state, self->settings->name, true, &cursor) == 0 && cursor.edits != self->cursor.edits) {
        s_clear (self);
        self->cursor = cursor;
        stele_log_info ("edited", "target %s: it was enabled or reset", self->settings->name);
    }
    else
        relay_intake_retry (self);
}

//  -- requests --------------------------------------------------------------------------------------------

//  The pause after that many failures in a row: twice as long each time, and random, so that targets are not all tried at once
static int64_t
s_backoff_ms (const relay_target_t *self, int64_t failures)
{
    int64_t pause_ms = self->settings->retry_min_ms;
    uint32_t random = 0;
    for (int64_t i = 1; i < failures && pause_ms < self->settings->retry_max_ms; i++)
        pause_ms *= 2;
    if (pause_ms > self->settings->retry_max_ms)
        pause_ms = self->settings->retry_max_ms;
    if (getrandom (&random, sizeof random, 0) != sizeof random)
        random = 0;
    return pause_ms / 2 + (int64_t) ((uint64_t) pause_ms / 2 * random / UINT32_MAX);
}

static void
s_start_posts (relay_target_t *self, int64_t now_ms)
{
    size_t most = self->hold_failures > 0? 1: (size_t) self->settings->parallel;
    relay_item_t *item;
    if (self->cursor.disabled || self->commit_failing || now_ms < self->hold_until_ms)
        return;
    while (self->queue.active < most && (item = relay_queue_next (&self->queue, now_ms, self->hold_failures > 0))) {
        char id [RELAY_LEDGER + 24];
        snprintf (id, sizeof id, "%s-%" PRId64, self->cursor.ledger, item->position);
        if (item->first_us == 0)
            item->first_us = stele_clock_us ();
        item->request = relay_post_start (&self->poster, id, item->body, item->size, item);
        self->queue.active++;
    }
}

//  A request failed: when is the next one?
static void
s_delay (relay_target_t *self, relay_item_t *item, const relay_result_t *result, int64_t now_ms)
{
    bool hold = result->outcome == RELAY_HOLD;
    //  Requests that were in flight together fail together
    if (hold && now_ms >= self->hold_until_ms)
        self->hold_failures++;
    int64_t pause_ms = s_backoff_ms (self, hold? self->hold_failures: item->attempts);
    item->due_ms = now_ms + (result->retry_after_ms > pause_ms? result->retry_after_ms: pause_ms);
    if (hold && item->due_ms > self->hold_until_ms)
        self->hold_until_ms = item->due_ms;
}

static void
s_fail (relay_target_t *self, relay_item_t *item, const relay_result_t *result, int64_t now_ms)
{
    const relay_target_settings_t *settings = self->settings;
    if (!*self->cursor.error)
        stele_log_warning ("target", "target %s: event %" PRId64 ": %s", settings->name, item->position, result->reason);
    snprintf (self->cursor.error, sizeof self->cursor.error, "%s", result->reason);
    self->cursor.failures++;
    self->cursor.failed_us = stele_clock_us ();
    item->attempts++;
    if (result->outcome == RELAY_GONE) {
        self->cursor.disabled = self->flush = true;
        stele_log_error ("disabled", "target %s: it answered 410 (gone): nothing more is sent to it; 'stele-relay enable %s' tries it again",
            settings->name, settings->name);
        relay_source_pause (self->source);
        return;
    }
    bool given_up = item->attempts >= settings->attempts || self->cursor.failed_us - item->first_us >= settings->age_s * 1000000;
    s_delay (self, item, result, now_ms);
    if (given_up || result->outcome == RELAY_REFUSED)
        relay_target_bury (self, item, result->reason);
}

static void
s_finish_posts (relay_target_t *self, int64_t now_ms)
{
    relay_result_t result;
    while (relay_post_next (&self->poster, &result)) {
        relay_item_t *item = result.arg;
        item->request = NULL;
        self->queue.active--;
        self->dirty = true;
        if (result.outcome != RELAY_DELIVERED) {
            s_fail (self, item, &result, now_ms);
            continue;
        }
        if (*self->cursor.error)
            stele_log_info ("target", "target %s: it takes events again", self->settings->name);
        *self->cursor.error = 0;
        //  One that began before the pause says nothing about it
        if (now_ms >= self->hold_until_ms)
            self->hold_until_ms = self->hold_failures = 0;
        self->cursor.delivered++;
        self->cursor.delivered_us = stele_clock_us ();
        relay_queue_remove (&self->queue, item);
    }
}

//  -- the thread ------------------------------------------------------------------------------------------

static int64_t
s_min (int64_t one, int64_t other)
{
    return one < other? one: other;
}

static void
s_wait (relay_target_t *self, int64_t now_ms)
{
    struct curl_waitfd feed = { .fd = relay_source_fd (self->source), .events = CURL_WAIT_POLLIN };
    bool reads = feed.fd >= 0 && !self->held && relay_intake_has_room (self);
    int64_t until_ms = s_min (now_ms + IDLE_MS, self->looked_ms + LOOK_MS);
    if (self->dirty && !self->commit_failing)
        until_ms = s_min (until_ms, self->flush? now_ms: self->committed_ms + COMMIT_MS);
    if (now_ms < self->hold_until_ms)
        until_ms = s_min (until_ms, self->hold_until_ms);
    else
        until_ms = s_min (until_ms, relay_queue_due_ms (&self->queue, now_ms));
    if (now_ms < self->source_again_ms)
        until_ms = s_min (until_ms, self->source_again_ms);
    else
    if (self->more && relay_source_follows (self->source) && relay_intake_has_room (self))
        until_ms = now_ms;
    curl_multi_poll (self->poster.multi, &feed, reads, (int) (until_ms > now_ms? until_ms - now_ms: 0), NULL);
}

static void *
s_run (void *arg)
{
    relay_target_t *self = arg;
    int64_t now_ms, stop_ms = INT64_MAX;
    int running;
    stele_thread_name (self->settings->name);
    while (true) {
        now_ms = stele_clock_steady_ms ();
        if (atomic_load (&self->stopping)) {
            stop_ms = s_min (stop_ms, now_ms + STOP_MS);
            if (self->queue.active == 0 || now_ms >= stop_ms)
                break;
        }
        else {
            if (now_ms - self->looked_ms >= LOOK_MS)
                s_look (self, now_ms);
            relay_intake_run (self, now_ms);
        }
        curl_multi_perform (self->poster.multi, &running);
        s_finish_posts (self, now_ms);
        if (stop_ms == INT64_MAX)
            s_start_posts (self, now_ms);
        if ((self->dirty && (self->flush || now_ms - self->committed_ms >= COMMIT_MS) && !self->commit_failing)
        ||  (self->commit_failing && now_ms - self->committed_ms >= IDLE_MS))
            s_commit (self, now_ms);
        s_wait (self, now_ms);
    }
    if (self->dirty)
        s_commit (self, now_ms);
    s_clear (self);
    return NULL;
}

relay_target_t *
relay_target_new (const relay_settings_t *settings, const relay_target_settings_t *target, stele_refusal_t *refusal)
{
    relay_target_t *self = STELE_NEW (relay_target_t);
    self->settings = target;
    self->source = relay_source_new (settings);
    self->state = relay_state_open (settings->state, true, refusal);
    int rc = self->state? relay_poster_open (&self->poster, target, refusal): refusal->code;
    if (rc == 0 && relay_state_cursor (self->state, target->name, true, &self->cursor) != 0)
        rc = stele_refuse (refusal, STELE_EIO, "state", "cannot use the state '%.200s': %s", settings->state,
            relay_state_error (self->state));
    if (rc == 0)
        self->version = relay_state_version (self->state);
    self->started = rc == 0 && stele_thread_start (&self->thread, s_run, self);
    if (rc == 0 && !self->started)
        stele_refuse (refusal, STELE_EUNAVAILABLE, NULL, "cannot start a thread");
    if (!self->started)
        relay_target_destroy (&self);
    return self;
}

void
relay_target_stop (relay_target_t *self)
{
    atomic_store (&self->stopping, true);
    curl_multi_wakeup (self->poster.multi);
}

void
relay_target_destroy (relay_target_t **self_p)
{
    relay_target_t *self = *self_p;
    if (!self)
        return;
    if (self->started) {
        relay_target_stop (self);
        pthread_join (self->thread, NULL);
    }
    if (self->poster.multi)
        relay_poster_clear (&self->poster);
    relay_source_destroy (&self->source);
    relay_state_close (&self->state);
    free (self->dead);
    free (self);
    *self_p = NULL;
}
