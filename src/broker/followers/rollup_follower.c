/*  rollup_follower - the follower that keeps the counts per minute, hour and day (ledger/rollup.h)

    Charts and reports over a range of time are answered from these. They may lag: errors are logged and have no
    other effect. A new head does not wake this follower: it looks a few times per second, since counting many
    events at once costs less than counting each of many small commits.

    Counting takes the processor from the writer. So while many events arrive it rests twice as long as it
    works, unless it is far behind.

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
#define REST 2                      // Times as long as the last portion took
#define SAMPLE_MS 250               // Shortest time over which the rate of events is measured
#define LOADED 5000                 // Events per second: fewer leave room for counting
#define LAG_MAX 1000000             // Further behind it does not rest
#define NOTED 512                   // A new ledger has no file yet, and that is no fault

typedef struct {
    stele_follower_t follower;
    stele_rollup_t *rollup;         // NULL: it could not be opened
    int64_t position;               // Last known position of the counts
    int64_t next_ms;                // Steady clock: next portion
    int64_t sampled_ms;             // Steady clock, and head, when the rate was measured last
    int64_t sampled_head;
    bool loaded;                    // Many events arrived since the time before
    const char *fault;              // Of the file, that was logged last
    bool failing;
    int64_t failing_since_ms;       // Steady clock
} s_rollup_t;

static int64_t
s_lag (const s_rollup_t *self)
{
    return self->follower.head - self->position;
}

static void
s_pack_stats (void *arg)
{
    s_rollup_t *self = arg;
    stele_pack_t *pack = self->follower.pack;
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "position", self->position);
    stele_pack_key_integer (pack, "lag_events", s_lag (self));
    stele_pack_key_string (pack, "state", self->failing? "failing": s_lag (self) > STELE_ROLLUP_BUILDING? "building": "live");
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

//  Did many events arrive since the last time?
static void
s_sample (s_rollup_t *self, int64_t now_ms)
{
    int64_t passed_ms = now_ms - self->sampled_ms;
    if (passed_ms < SAMPLE_MS)
        return;
    self->loaded = self->sampled_ms && (self->follower.head - self->sampled_head) * 1000 / passed_ms >= LOADED;
    self->sampled_ms = now_ms;
    self->sampled_head = self->follower.head;
}

//  Count a portion. Returns the milliseconds to rest.
static int64_t
s_follow (s_rollup_t *self)
{
    stele_refusal_t refusal = { 0 };
    int64_t begun_ms = stele_clock_steady_ms ();
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
    if (count < STELE_ROLLUP_PORTION)
        return FOLLOW_MS;
    return self->loaded && s_lag (self) < LAG_MAX? (stele_clock_steady_ms () - begun_ms) * REST: 0;
}

static int
s_step (void *arg)
{
    s_rollup_t *self = arg;
    int64_t now_ms = stele_clock_steady_ms ();
    if (now_ms >= self->next_ms) {
        s_sample (self, now_ms);
        int64_t rest_ms = s_follow (self);
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
s_close (void *arg)
{
    s_rollup_t *self = arg;
    stele_rollup_close (&self->rollup);
}

void
stele_rollup_follower (zsock_t *pipe, void *args)
{
    static const stele_follower_class_t class = {
        .name = NAME, .open = s_open, .step = s_step, .pack_stats = s_pack_stats, .close = s_close
    };
    s_rollup_t self = { .rollup = NULL };
    stele_follower_run (&self.follower, &class, pipe, args);
}
