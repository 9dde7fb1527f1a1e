/*  rollup_follower - the follower that keeps the counts per minute, hour and day (ledger/rollup.h)

    Charts and reports over a range of time are answered from these. They may lag: errors are logged and have no
    other effect. A new head does not wake this follower: it looks a few times per second, since counting many
    events at once costs less than counting each of many small commits.

    Counting takes the processor from the writer. So while many events arrive it rests, until it is half of
    rollup-lag behind or has rested for ten seconds; then it rests twice as long as it works until it is at the
    head, and beyond rollup-lag not at all. A request for the counts wakes it ("catch_up"), and then it does not
    rest for some seconds.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/clock.h"
#include "base/thread.h"
#include "broker/common/log.h"
#include "broker/followers/follower.h"
#include "ledger/rollup.h"

#define NAME "rollup"
#define FOLLOW_MS 250
#define RETRY_MS 5000
#define NICE 5
#define REST_MS 10000               // Longest rest
#define WANTED_MS 10000             // After a request for the counts
#define NOTED 512                   // A new ledger has no file yet, and that is no fault

typedef struct {
    stele_follower_t follower;
    stele_rollup_t *rollup;         // NULL: it could not be opened
    int64_t position;               // Last known position of the counts
    int64_t next_ms;                // Steady clock: next portion
    int64_t complete_ms;            // Steady clock: when it was at the head
    int64_t wanted_ms;              // Steady clock: until then somebody looks at the counts
    const char *fault;              // Of the file, that was logged last
    bool failing;
    int64_t failing_since_ms;       // Steady clock
} s_rollup_t;

static int64_t
s_lag (const s_rollup_t *self)
{
    return self->follower.head - self->position;
}

static bool
s_rests (const s_rollup_t *self, int64_t now_ms)
{
    return self->follower.loaded && now_ms >= self->wanted_ms && now_ms < self->complete_ms + REST_MS
        && s_lag (self) < self->follower.settings->rollup_lag_events / 2;
}

static void
s_pack_stats (void *arg)
{
    s_rollup_t *self = arg;
    int64_t limit = self->follower.settings->rollup_lag_events;
    stele_pack_t *pack = self->follower.pack;
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "position", self->position);
    stele_pack_key_integer (pack, "lag_events", s_lag (self));
    stele_pack_key_integer (pack, "lag_limit", limit);
    stele_pack_key_bool (pack, "resting", s_rests (self, stele_clock_steady_ms ()));
    stele_pack_key_string (pack, "state", self->failing? "failing": s_lag (self) > limit? "building": "live");
    if (self->failing)
        stele_pack_key_integer (pack, "state_ms", stele_clock_steady_ms () - self->failing_since_ms);
    stele_pack_map_end (pack);
}

static void
s_log_fault (s_rollup_t *self)
{
    const char *fault = stele_rollup_fault (self->rollup);
    if (fault && fault != self->fault && self->follower.head >= NOTED)
        stele_log_info (NAME, NAME ": the file of counts per minute, hour and day %s and is rebuilt", fault);
    self->fault = fault;
}

static void
s_log_change (s_rollup_t *self, bool failing, const char *error)
{
    if (failing && !self->failing) {
        self->failing_since_ms = stele_clock_steady_ms ();
        stele_log_warning (NAME, NAME ": cannot count events per minute, hour and day, retrying: %s", error);
    }
    if (!failing && self->failing)
        stele_log_info (NAME, NAME ": events are counted again");
    self->failing = failing;
}

//  Count a portion. Returns the milliseconds to rest.
static int64_t
s_follow (s_rollup_t *self)
{
    stele_refusal_t refusal = { 0 };
    int64_t begun_ms = stele_clock_steady_ms ();
    //  It has the errors of an erased task
    if (self->rollup && stele_rollup_is_stale (self->rollup))
        stele_rollup_close (&self->rollup);
    if (!self->rollup)
        self->rollup = stele_rollup_open (self->follower.settings->ledger, self->follower.reader, &refusal);
    int64_t count = self->rollup? stele_rollup_follow (self->rollup, self->follower.head): refusal.code;
    s_log_change (self, count < 0, self->rollup? stele_rollup_error (self->rollup): refusal.message);
    if (self->rollup) {
        s_log_fault (self);
        self->position = stele_rollup_position (self->rollup);
    }
    if (count < 0) {
        //  Opening it again rebuilds it if necessary
        stele_rollup_close (&self->rollup);
        self->fault = NULL;
        return RETRY_MS;
    }
    int64_t now_ms = stele_clock_steady_ms ();
    if (count < STELE_ROLLUP_PORTION) {
        self->complete_ms = now_ms;
        return FOLLOW_MS;
    }
    if (now_ms < self->wanted_ms || s_lag (self) > self->follower.settings->rollup_lag_events)
        return 0;
    return stele_follower_rest_ms (&self->follower, begun_ms);
}

static int
s_step (void *arg)
{
    s_rollup_t *self = arg;
    int64_t now_ms = stele_clock_steady_ms ();
    if (now_ms >= self->next_ms) {
        stele_follower_sample (&self->follower, now_ms);
        int64_t rest_ms = s_rests (self, now_ms)? FOLLOW_MS: s_follow (self);
        now_ms = stele_clock_steady_ms ();
        self->next_ms = now_ms + rest_ms;
    }
    return (int) (self->next_ms - now_ms);
}

static int
s_open (void *arg, stele_refusal_t *refusal)
{
    s_rollup_t *self = arg;
    (void) refusal;
    stele_thread_nice (NICE);
    self->follower.ignore_heads = true;
    return 0;
}

static void
s_answer_mailbox (void *arg)
{
    s_rollup_t *self = arg;
    zmsg_t *request;
    while ((request = stele_follower_request (&self->follower))) {
        if (stele_follower_is_catch_up (request)) {
            self->wanted_ms = stele_clock_steady_ms () + WANTED_MS;
            zmsg_destroy (&request);
            continue;
        }
        stele_pack_clear (self->follower.pack);
        s_pack_stats (self);
        stele_follower_answer (&self->follower, &request);
    }
}

static void
s_close (void *arg)
{
    s_rollup_t *self = arg;
    stele_rollup_close (&self->rollup);
}

void
stele_rollup_follower (zsock_t *pipe, void *args)
{
    static const stele_follower_class_t class = {
        .name = NAME, .open = s_open, .step = s_step, .answer_mailbox = s_answer_mailbox, .close = s_close
    };
    s_rollup_t self = { .rollup = NULL };
    stele_follower_run (&self.follower, &class, pipe, args);
}
