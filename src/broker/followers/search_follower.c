/*  search_follower - the follower that keeps the text index (ledger/text_index.h)

    Searches read from the log what the index does not have yet. So the index can lag, and
    errors with it are logged and have no other effect. A new head does not wake this follower: it checks once
    per second, since updating the index after each of many small commits costs more than the commits.

    Indexing takes the processor, the caches and the disk from the writer. So while many events arrive it
    rests, until it is half of search-lag behind. From there on it rests twice as long as it works, and beyond
    search-lag not at all. When fewer arrive, it works until it is at the head. A search that needs the index
    wakes it ("catch_up"), and then it does not rest for some seconds. It publishes its position as
    "indexed", for the searches that wait for it (broker/requests/router_index.c).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "broker/common/log.h"
#include "broker/followers/follower.h"
#include "ledger/text_index.h"
#include "base/clock.h"
#include "base/thread.h"

#define NAME "search"
#define FOLLOW_MS 1000
#define RETRY_MS 5000
#define NICE 5
#define CHECK_MS 250                // While it rests
#define WANTED_MS 10000             // After a search that needed it
#define WANTED_REST_MS 20

typedef struct {
    stele_follower_t follower;
    stele_text_index_t *search;     // NULL: it could not be opened
    int64_t position;               // Last known position of the index
    zsock_t *indexed;               // PUB
    int64_t next_ms;                // Steady clock: next check
    int64_t wanted_ms;              // Steady clock: until then a search needs the index
    bool failing;
    int64_t failing_since_ms;       // Steady clock
} s_search_t;

static int64_t
s_lag (const s_search_t *self)
{
    return self->follower.head - self->position;
}

static bool
s_rests (const s_search_t *self, int64_t now_ms)
{
    return self->follower.loaded && now_ms >= self->wanted_ms && s_lag (self) < self->follower.settings->search_lag_events / 2;
}

static void
s_pack_stats (void *arg)
{
    s_search_t *self = arg;
    stele_pack_t *pack = self->follower.pack;
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "position", self->position);
    stele_pack_key_integer (pack, "lag_events", s_lag (self));
    stele_pack_key_integer (pack, "lag_limit", self->follower.settings->search_lag_events);
    stele_pack_key_bool (pack, "resting", s_rests (self, stele_clock_steady_ms ()));
    stele_pack_key_string (pack, "state", self->failing? "failing": "live");
    if (self->failing)
        stele_pack_key_integer (pack, "state_ms", stele_clock_steady_ms () - self->failing_since_ms);
    stele_pack_map_end (pack);
}

static void
s_open_index (s_search_t *self, stele_refusal_t *refusal)
{
    self->search = stele_text_index_open (self->follower.settings->ledger, self->follower.reader, refusal);
    if (self->search && stele_text_index_fault (self->search) && self->follower.head >= STELE_SEARCH_LAG)
        stele_log_info (NAME, NAME ": the text index %s and is rebuilt", stele_text_index_fault (self->search));
}

static void
s_log_change (s_search_t *self, bool failing, const char *error)
{
    if (failing && !self->failing)
        self->failing_since_ms = stele_clock_steady_ms ();
    if (failing && !self->failing)
        stele_log_warning (NAME, NAME ": cannot update the text index, retrying: %s", error);
    if (!failing && self->failing)
        stele_log_info (NAME, NAME ": the text index is updated again");
    self->failing = failing;
}

//  For the searches that wait. Twice as far behind as it may be, the index is being built, or too slow.
static void
s_publish (s_search_t *self)
{
    if (!self->search && !self->failing)
        return;                     // It has not been opened yet
    bool usable = !self->failing && s_lag (self) <= 2 * self->follower.settings->search_lag_events;
    int64_t position = usable? self->position: -1;
    zmq_send (zsock_resolve (self->indexed), &position, sizeof position, ZMQ_DONTWAIT);
}

//  Index a portion. Returns the milliseconds to rest.
static int64_t
s_follow (s_search_t *self)
{
    stele_refusal_t refusal = { 0 };
    int64_t begun_ms = stele_clock_steady_ms ();
    //  The words of an erased task cannot be removed from it one by one
    if (self->search && stele_text_index_is_stale (self->search))
        stele_text_index_close (&self->search);
    if (!self->search)
        s_open_index (self, &refusal);
    int64_t count = self->search? stele_text_index_follow (self->search, self->follower.head): refusal.code;
    s_log_change (self, count < 0, self->search? stele_text_index_error (self->search): refusal.message);
    if (self->search)
        self->position = stele_text_index_position (self->search);
    if (count < 0) {
        //  Opening it again rebuilds it if necessary
        stele_text_index_close (&self->search);
        return RETRY_MS;
    }
    int64_t now_ms = stele_clock_steady_ms ();
    if (count < STELE_SEARCH_PORTION)
        return now_ms < self->wanted_ms? WANTED_REST_MS: FOLLOW_MS;
    if (now_ms < self->wanted_ms || s_lag (self) > self->follower.settings->search_lag_events)
        return 0;
    return stele_follower_rest_ms (&self->follower, begun_ms);
}

static int
s_step (void *arg)
{
    s_search_t *self = arg;
    int64_t now_ms = stele_clock_steady_ms ();
    if (now_ms >= self->next_ms) {
        stele_follower_sample (&self->follower, now_ms);
        int64_t rest_ms = s_rests (self, now_ms)? CHECK_MS: s_follow (self);
        s_publish (self);
        now_ms = stele_clock_steady_ms ();
        self->next_ms = now_ms + rest_ms;
    }
    return (int) (self->next_ms - now_ms);
}

static int
s_open (void *arg, stele_refusal_t *refusal)
{
    s_search_t *self = arg;
    (void) refusal;
    stele_thread_nice (NICE);
    self->follower.ignore_heads = true;
    char endpoint [80];
    self->indexed = zsock_new (ZMQ_PUB);
    assert (self->indexed);
    int rc = zsock_bind (self->indexed, "%s", stele_settings_inproc (self->follower.settings, "indexed", endpoint));
    assert (rc == 0);
    return 0;
}

static void
s_close (void *arg)
{
    s_search_t *self = arg;
    stele_text_index_close (&self->search);
    zsock_destroy (&self->indexed);
}

static void
s_answer_mailbox (void *arg)
{
    s_search_t *self = arg;
    zmsg_t *request;
    while ((request = stele_follower_request (&self->follower))) {
        if (stele_follower_is_catch_up (request)) {
            self->wanted_ms = stele_clock_steady_ms () + WANTED_MS;
            if (!self->failing)
                self->next_ms = 0;
            s_publish (self);
            zmsg_destroy (&request);
            continue;
        }
        stele_pack_clear (self->follower.pack);
        s_pack_stats (self);
        stele_follower_answer (&self->follower, &request);
    }
}

void
stele_search_follower (zsock_t *pipe, void *args)
{
    static const stele_follower_class_t class = {
        .name = NAME, .open = s_open, .step = s_step, .answer_mailbox = s_answer_mailbox, .close = s_close
    };
    s_search_t self = { .search = NULL };
    stele_follower_run (&self.follower, &class, pipe, args);
}
