/*  queue - the undelivered events of a target: one at a time per task, bounded in number and in bytes

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_QUEUE_H_INCLUDED
#define STELE_RELAY_QUEUE_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t position;
    uint64_t lane;                  // Events with the same are delivered in the order of positions: a hash of the task or session
    char *subject;                  // type/ID
    char *body;
    size_t size;
    int64_t attempts, first_us;     // As in relay_pending_t
    int64_t due_ms;                 // Steady clock: not before
    bool was_dead;                  // A dead letter that is retried, until the next commit
    void *request;                  // In flight; NULL: it is not
} relay_item_t;

typedef struct {
    relay_item_t **items;           // In the order of positions
    size_t count, room;
    size_t bytes;                   // Of the bodies
    size_t active;                  // Requests in flight
} relay_queue_t;

/*  Insert an item, which the queue owns: subject and body are taken over, and freed with free(). False: it has that position
    already; the item is destroyed.                                          */
bool
    relay_queue_add (relay_queue_t *self, const relay_item_t *item);

/*  Remove and destroy an item.                                              */
void
    relay_queue_remove (relay_queue_t *self, relay_item_t *item);
void
    relay_queue_clear (relay_queue_t *self);

/*  The next item to deliver: due, not in flight, and without an earlier one of its lane. With 'rotate' the one with the
    fewest attempts, so that a failing event does not stop the others. NULL: none. */
relay_item_t *
    relay_queue_next (const relay_queue_t *self, int64_t now_ms, bool rotate);

/*  When the next one is due, by the steady clock; INT64_MAX: none waits for its time. */
int64_t
    relay_queue_due_ms (const relay_queue_t *self, int64_t now_ms);

#endif
