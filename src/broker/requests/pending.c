/*  pending - a bounded table of requests, and their order of arrival

    A token is (use << 32 | slot): the slot finds the request, and 'use', which counts how often
    the slot was used, distinguishes a late answer from a timely one.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/memory.h"
#include "broker/requests/pending.h"

typedef struct {
    stele_request_t *request;       // NULL: free
    uint32_t use;
    uint32_t next_free;
} s_slot_t;

#define NO_SLOT UINT32_MAX

struct stele_pending {
    s_slot_t *slots;
    uint32_t free;                  // First free slot
    size_t bytes;
    size_t bytes_max;
    stele_request_t *first;         // In order of arrival
    stele_request_t *last;
    int64_t earliest_us;            // Lower bound of all deadlines
};

stele_pending_t *
stele_pending_new (size_t count_max, size_t bytes_max)
{
    assert (count_max > 0 && count_max < NO_SLOT);
    stele_pending_t *self = STELE_NEW (stele_pending_t);
    self->slots = stele_memory_new (count_max * sizeof *self->slots);
    for (uint32_t slot = 0; slot < count_max; slot++)
        self->slots [slot].next_free = slot + 1 < count_max? slot + 1: NO_SLOT;
    self->bytes_max = bytes_max;
    self->earliest_us = INT64_MAX;
    return self;
}

void
stele_pending_destroy (stele_pending_t **self_p)
{
    assert (self_p);
    stele_pending_t *self = *self_p;
    if (!self)
        return;
    while (self->first)
        stele_pending_remove (self, self->first);
    free (self->slots);
    free (self);
    *self_p = NULL;
}

stele_request_t *
stele_pending_add (stele_pending_t *self, zmsg_t **envelope_p, zframe_t **body_p)
{
    size_t bytes = zmsg_content_size (*envelope_p) + zframe_size (*body_p);
    //  A single one has room whatever its size, which message-bytes bounds
    if (self->free == NO_SLOT || (self->bytes && self->bytes + bytes > self->bytes_max))
        return NULL;
    stele_request_t *request = STELE_NEW (stele_request_t);
    uint32_t slot = self->free;
    self->free = self->slots [slot].next_free;
    self->slots [slot].request = request;
    request->token = (uint64_t) self->slots [slot].use << 32 | slot;
    request->envelope = *envelope_p;
    request->body = *body_p;
    *envelope_p = NULL;
    *body_p = NULL;
    request->deadline_us = INT64_MAX;
    request->bytes = bytes;
    self->bytes += bytes;

    request->previous = self->last;
    if (self->last)
        self->last->next = request;
    else
        self->first = request;
    self->last = request;
    return request;
}

void
stele_pending_remove (stele_pending_t *self, stele_request_t *request)
{
    if (request->previous)
        request->previous->next = request->next;
    else
        self->first = request->next;
    if (request->next)
        request->next->previous = request->previous;
    else
        self->last = request->previous;

    uint32_t slot = (uint32_t) request->token;
    assert (self->slots [slot].request == request);
    self->slots [slot].request = NULL;
    self->slots [slot].use++;
    self->slots [slot].next_free = self->free;
    self->free = slot;
    self->bytes -= request->bytes;

    zmsg_destroy (&request->envelope);
    zframe_destroy (&request->body);
    zframe_destroy (&request->ignored);
    zframe_destroy (&request->audit);
    zframe_destroy (&request->answer);
    for (int i = 0; i < STELE_MAILBOX_COUNT; i++)
        zframe_destroy (&request->parts [i]);
    free (request);
}

stele_request_t *
stele_pending_find (stele_pending_t *self, uint64_t token)
{
    //  Tokens come only from actors of this broker: the slot exists
    s_slot_t *slot = &self->slots [(uint32_t) token];
    return slot->request && slot->request->token == token? slot->request: NULL;
}

void
stele_pending_set_deadline (stele_pending_t *self, stele_request_t *request,
    int64_t deadline_us)
{
    request->deadline_us = deadline_us;
    if (deadline_us < self->earliest_us)
        self->earliest_us = deadline_us;
}

int64_t
stele_pending_earliest (const stele_pending_t *self)
{
    return self->earliest_us;
}

void
stele_pending_expire (stele_pending_t *self, int64_t now_us, stele_pending_fn *fn, void *arg)
{
    if (now_us < self->earliest_us)
        return;
    self->earliest_us = INT64_MAX;
    stele_request_t *next;
    for (stele_request_t *request = self->first; request; request = next) {
        next = request->next;
        if (request->deadline_us <= now_us)
            fn (request, arg);
        else
        if (request->deadline_us < self->earliest_us)
            self->earliest_us = request->deadline_us;
    }
}

void
stele_pending_reach (stele_pending_t *self, stele_pending_state_t state, int64_t position,
    stele_pending_fn *fn, void *arg)
{
    stele_request_t *next;
    for (stele_request_t *request = self->first; request; request = next) {
        next = request->next;
        if (request->state == state && request->min_position <= position)
            fn (request, arg);
    }
}

void
stele_pending_each (stele_pending_t *self, stele_pending_fn *fn, void *arg)
{
    stele_request_t *next;
    for (stele_request_t *request = self->first; request; request = next) {
        next = request->next;
        fn (request, arg);
    }
}

size_t
stele_pending_count (const stele_pending_t *self, stele_pending_state_t state)
{
    size_t count = 0;
    for (const stele_request_t *request = self->first; request; request = request->next)
        count += request->state == state;
    return count;
}
