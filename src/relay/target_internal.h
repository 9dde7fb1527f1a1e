/*  target_internal - what target.c and intake.c share

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_TARGET_INTERNAL_H_INCLUDED
#define STELE_RELAY_TARGET_INTERNAL_H_INCLUDED

#include <pthread.h>
#include <stdatomic.h>
#include "relay/post.h"
#include "relay/queue.h"
#include "relay/source.h"
#include "relay/state.h"
#include "relay/target.h"

struct relay_target {
    const relay_target_settings_t *settings;
    relay_state_t *state;
    relay_source_t *source;
    relay_poster_t poster;
    pthread_t thread;
    bool started;
    atomic_bool stopping;

    relay_cursor_t cursor;
    relay_queue_t queue;
    bool loaded;                    // The queue has what the state has
    relay_dead_t *dead;             // Not committed yet
    size_t dead_count, dead_room;
    int64_t version;                // Of the state, when commands were last looked for
    int64_t looked_ms;

    bool dirty;                     // Something is to be committed
    bool flush;                     // At once
    int64_t committed_ms;
    bool commit_failing;            // Deliver nothing more: it could not be recorded

    int64_t source_again_ms;        // The broker is not asked before
    int64_t source_failures;        // In a row
    int64_t opened_ms;              // When the subscription was made
    bool wrong_ledger;              // The broker has another ledger than this target has read
    int64_t full_since_ms;          // No room for events since then; 0: there is
    bool more;                      // The source may have an event that its descriptor does not show
    stele_event_t *held;            // Read, but the broker did not answer a question about it; NULL: none

    int64_t hold_until_ms;          // The target is away: nothing is posted before
    int64_t hold_failures;          // In a row; above 0: one request at a time
};

/*  Read events until the queue is full or none is there; open the source first if it is closed. */
void
    relay_intake_run (relay_target_t *self, int64_t now_ms);

/*  May more events be read?                                                 */
bool
    relay_intake_has_room (const relay_target_t *self);

/*  Put the dead letters that are to be retried into the queue.              */
void
    relay_intake_retry (relay_target_t *self);

/*  Take an event out of the queue as a dead letter.                         */
void
    relay_target_bury (relay_target_t *self, relay_item_t *item, const char *reason);

#endif
