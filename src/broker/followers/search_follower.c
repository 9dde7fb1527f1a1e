/*  search_follower - the follower that keeps the index of texts (ledger/text_index.h)

    The index is for searches alone, which read in the log what it does not have
    yet: so it takes its time, and trouble with it is said and changes nothing
    else. No head wakes it: it looks once a second, since an index that is written for
    each of many small commits costs more than they do, and steps back behind the
    threads that somebody waits for: it rests twice as long as it works, unless it is
    far behind.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "broker/followers/follower.h"
#include "broker/common/poll.h"
#include "ledger/text_index.h"
#include "base/clock.h"
#include "base/thread.h"

#define NAME "search"
#define FOLLOW_MS 1000
#define RETRY_MS 5000
#define NICE 5
#define REST 2                      // Times as long as the last portion took
#define FAR_BEHIND 131072           // Events: a search reads some tenths of a second then

typedef struct {
    stele_follower_t follower;
    stele_text_index_t *search;         // NULL: it could not be opened
    int64_t position;               // Of what is indexed, as it was known last
    int64_t next_ms;                // When to look again, by the steady clock
    bool failing;
} s_actor_t;

static void
s_mailbox (s_actor_t *self)
{
    zmsg_t *request;
    while ((request = stele_follower_request (&self->follower))) {
        stele_pack_t *pack = self->follower.pack;
        stele_pack_clear (pack);
        stele_pack_map (pack, 3);
        stele_pack_key_integer (pack, "position", self->position);
        stele_pack_key_integer (pack, "lag_events", self->follower.head - self->position);
        stele_pack_key_string (pack, "state", self->failing? "failing": "live");
        stele_follower_answer (&self->follower, &request);
    }
}

//  Milliseconds until there may be more to be indexed
static int
s_follow (s_actor_t *self)
{
    stele_refusal_t refusal = { 0 };
    int64_t begun_ms = stele_clock_steady_ms ();
    if (!self->search) {
        self->search = stele_text_index_open (self->follower.settings->ledger, self->follower.reader, &refusal);
        if (self->search && stele_text_index_position (self->search) == 0 && self->follower.head >= STELE_SEARCH_LAG)
            zsys_info (NAME ": the index is made from the start: it was not there, or not usable");
    }
    int64_t count = self->search? stele_text_index_follow (self->search, self->follower.head): refusal.code;
    bool failing = count < 0;
    if (failing && !self->failing)
        zsys_warning (NAME ": what is new is not indexed, trying again: %s",
            self->search? stele_text_index_error (self->search): refusal.message);
    else
    if (!failing && self->failing)
        zsys_info (NAME ": the index is kept again");
    if (self->search)
        self->position = stele_text_index_position (self->search);
    //  It is made anew where that is what it takes
    if (failing)
        stele_text_index_close (&self->search);
    self->failing = failing;
    if (failing)
        return RETRY_MS;
    if (count == 0)
        return FOLLOW_MS;
    if (self->follower.head - self->position > FAR_BEHIND)
        return 0;
    return (int) (stele_clock_steady_ms () - begun_ms) * REST;
}

static void
s_loop (s_actor_t *self)
{
    bool goes_on = true;
    while (goes_on) {
        int64_t wait_ms = self->next_ms - stele_clock_steady_ms ();
        zmq_pollitem_t items [] = {
            { zsock_resolve (self->follower.pipe), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->follower.mailbox), 0, ZMQ_POLLIN, 0 }
        };
        if (stele_poll (items, 2, wait_ms > 0? (long) wait_ms: 0) < 0)
            break;
        if (items [0].revents & ZMQ_POLLIN) {
            char *command = zstr_recv (self->follower.pipe);
            goes_on = command && strneq (command, "$TERM");
            //  Nothing waits for the index: it goes on where it was
            if (goes_on && streq (command, "DRAIN"))
                zstr_send (self->follower.pipe, "DRAINED");
            zstr_free (&command);
        }
        stele_follower_hear (&self->follower);
        s_mailbox (self);
        if (goes_on && stele_clock_steady_ms () >= self->next_ms) {
            int rest_ms = s_follow (self);
            self->next_ms = stele_clock_steady_ms () + rest_ms;
        }
    }
}

void
stele_search_follower (zsock_t *pipe, void *args)
{
    s_actor_t self = { .search = NULL };
    stele_refusal_t refusal = { 0 };
    zsock_signal (pipe, 0);
    stele_thread_name (NAME);
    stele_thread_nice (NICE);
    if (stele_follower_open (&self.follower, pipe, args, NAME, &refusal))
        zstr_sendx (pipe, "FAILED", refusal.message, NULL);
    else {
        zstr_sendx (pipe, "READY", "", NULL);
        s_loop (&self);
    }
    stele_text_index_close (&self.search);
    stele_follower_close (&self.follower);
}
