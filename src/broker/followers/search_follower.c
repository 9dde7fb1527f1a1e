/*  search_follower - the follower that keeps the text index (ledger/text_index.h)

    Searches read from the log what the index does not have yet. So the index can lag, and
    errors with it are logged and have no other effect. A new head does not wake this follower: it checks once
    per second, since updating the index after each of many small commits costs more than the commits. It
    also yields to threads that clients wait for: it rests twice as long as it works, unless it
    is far behind.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "broker/common/log.h"
#include "broker/followers/follower.h"
#include "ledger/text_index.h"
#include "base/clock.h"
#include "base/thread.h"

#define NAME "search"
#define FOLLOW_MS 1000
#define RETRY_MS 5000
#define NICE 5
#define REST 2                      // Times as long as the last portion took
#define FAR_BEHIND 131072           // Events: a search then takes tenths of a second

typedef struct {
    stele_follower_t follower;
    stele_text_index_t *search;     // NULL: it could not be opened
    int64_t position;               // Last known position of the index
    int64_t next_ms;                // Steady clock: next check
    bool failing;
    int64_t failing_since_ms;       // Steady clock
} s_search_t;

static void
s_pack_stats (void *arg)
{
    s_search_t *self = arg;
    stele_pack_t *pack = self->follower.pack;
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "position", self->position);
    stele_pack_key_integer (pack, "lag_events", self->follower.head - self->position);
    stele_pack_key_string (pack, "state", self->failing? "failing": "live");
    if (self->failing)
        stele_pack_key_integer (pack, "state_ms", stele_clock_steady_ms () - self->failing_since_ms);
    stele_pack_map_end (pack);
}

static void
s_open_index (s_search_t *self, stele_refusal_t *refusal)
{
    self->search = stele_text_index_open (self->follower.settings->ledger, self->follower.reader, refusal);
    if (self->search && stele_text_index_position (self->search) == 0 && self->follower.head >= STELE_SEARCH_LAG)
        stele_log_info (NAME, NAME ": the text index was missing or unusable and is rebuilt");
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

//  Index a portion. Returns the milliseconds to rest.
static int64_t
s_follow (s_search_t *self)
{
    stele_refusal_t refusal = { 0 };
    int64_t begun_ms = stele_clock_steady_ms ();
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
    if (count == 0)
        return FOLLOW_MS;
    if (self->follower.head - self->position > FAR_BEHIND)
        return 0;
    return (stele_clock_steady_ms () - begun_ms) * REST;
}

static int
s_step (void *arg)
{
    s_search_t *self = arg;
    int64_t now_ms = stele_clock_steady_ms ();
    if (now_ms >= self->next_ms) {
        int64_t rest_ms = s_follow (self);
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
    return 0;
}

static void
s_close (void *arg)
{
    s_search_t *self = arg;
    stele_text_index_close (&self->search);
}

void
stele_search_follower (zsock_t *pipe, void *args)
{
    static const stele_follower_class_t class = {
        .name = NAME, .open = s_open, .step = s_step, .pack_stats = s_pack_stats, .close = s_close
    };
    s_search_t self = { .search = NULL };
    stele_follower_run (&self.follower, &class, pipe, args);
}
