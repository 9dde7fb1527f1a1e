/*  queue - the undelivered events of a target: one at a time per task, bounded in number and in bytes

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "relay/queue.h"

static void
s_destroy (relay_item_t *item)
{
    free (item->subject);
    free (item->body);
    free (item);
}

bool
relay_queue_add (relay_queue_t *self, const relay_item_t *item)
{
    relay_item_t *copy = STELE_NEW (relay_item_t);
    *copy = *item;
    size_t at = self->count;
    while (at > 0 && self->items [at - 1]->position > item->position)
        at--;
    if (at > 0 && self->items [at - 1]->position == item->position) {
        s_destroy (copy);
        return false;
    }
    self->items = stele_array_must_grow (self->items, &self->room, self->count + 1, sizeof *self->items);
    memmove (self->items + at + 1, self->items + at, (self->count - at) * sizeof *self->items);
    self->items [at] = copy;
    self->count++;
    self->bytes += item->size;
    return true;
}

void
relay_queue_remove (relay_queue_t *self, relay_item_t *item)
{
    size_t at = 0;
    while (self->items [at] != item)
        at++;
    self->count--;
    self->bytes -= item->size;
    memmove (self->items + at, self->items + at + 1, (self->count - at) * sizeof *self->items);
    s_destroy (item);
}

void
relay_queue_clear (relay_queue_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        s_destroy (self->items [i]);
    free (self->items);
    memset (self, 0, sizeof *self);
}

//  Is it the first of its lane?
static bool
s_leads (const relay_queue_t *self, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (self->items [i]->lane == self->items [at]->lane)
            return false;
    return true;
}

relay_item_t *
relay_queue_next (const relay_queue_t *self, int64_t now_ms, bool rotate)
{
    relay_item_t *best = NULL;
    for (size_t i = 0; i < self->count; i++) {
        relay_item_t *item = self->items [i];
        if (item->request || item->due_ms > now_ms || (best && best->attempts <= item->attempts) || !s_leads (self, i))
            continue;
        best = item;
        if (!rotate)
            break;
    }
    return best;
}

int64_t
relay_queue_due_ms (const relay_queue_t *self, int64_t now_ms)
{
    int64_t due_ms = INT64_MAX;
    for (size_t i = 0; i < self->count; i++)
        if (!self->items [i]->request && self->items [i]->due_ms > now_ms && self->items [i]->due_ms < due_ms)
            due_ms = self->items [i]->due_ms;
    return due_ms;
}
