/*  outbox - the events that a producer keeps until they are acked or refused

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include "base/memory.h"
#include "client/publish/outbox.h"

#define OUTBOX_CAPACITY 1024        // Initial; a power of two, doubled when full

typedef struct {
    zmq_msg_t event;
    bool refused;
} kept_t;

struct stele_outbox {
    kept_t *ring;
    size_t capacity;
    int64_t first;
    int64_t next;
    int64_t end;
    int64_t settled;
    int64_t settled_bytes;
    size_t wire_bytes;
};

static kept_t *
s_at (const stele_outbox_t *self, int64_t number)
{
    assert (number >= self->first && number < self->end);
    return &self->ring [(size_t) number & (self->capacity - 1)];
}

stele_outbox_t *
stele_outbox_new (void)
{
    stele_outbox_t *self = STELE_NEW (stele_outbox_t);
    self->capacity = OUTBOX_CAPACITY;
    self->ring = stele_memory_new (self->capacity * sizeof (kept_t));
    self->first = self->next = self->end = 1;
    return self;
}

void
stele_outbox_destroy (stele_outbox_t **self_p)
{
    stele_outbox_t *self = *self_p;
    if (!self)
        return;
    for (int64_t number = self->first; number < self->end; number++)
        zmq_msg_close (&s_at (self, number)->event);
    free (self->ring);
    free (self);
    *self_p = NULL;
}

static void
s_grow (stele_outbox_t *self)
{
    size_t capacity = self->capacity * 2;
    kept_t *ring = stele_memory_new (capacity * sizeof (kept_t));
    for (int64_t number = self->first; number < self->end; number++) {
        kept_t *from = s_at (self, number);
        kept_t *to = &ring [(size_t) number & (capacity - 1)];
        //  libzmq messages must not be moved by memcpy
        zmq_msg_init (&to->event);
        zmq_msg_move (&to->event, &from->event);
        zmq_msg_close (&from->event);
        to->refused = from->refused;
    }
    free (self->ring);
    self->ring = ring;
    self->capacity = capacity;
}

void
stele_outbox_put (stele_outbox_t *self, zmq_msg_t *event)
{
    if ((size_t) (self->end - self->first) == self->capacity)
        s_grow (self);
    kept_t *kept = s_at (self, self->end++);
    kept->refused = false;
    zmq_msg_init (&kept->event);
    zmq_msg_move (&kept->event, event);
}

const void *
stele_outbox_event (const stele_outbox_t *self, int64_t number, size_t *size)
{
    zmq_msg_t *event = &s_at (self, number)->event;
    *size = zmq_msg_size (event);
    return zmq_msg_data (event);
}

int64_t
stele_outbox_first (const stele_outbox_t *self)
{
    return self->first;
}

int64_t
stele_outbox_next (const stele_outbox_t *self)
{
    return self->next;
}

int64_t
stele_outbox_end (const stele_outbox_t *self)
{
    return self->end;
}

size_t
stele_outbox_wire_bytes (const stele_outbox_t *self)
{
    return self->wire_bytes;
}

void
stele_outbox_sent (stele_outbox_t *self, size_t count)
{
    for (size_t i = 0; i < count; i++)
        self->wire_bytes += zmq_msg_size (&s_at (self, self->next++)->event);
}

void
stele_outbox_rewind (stele_outbox_t *self, int64_t number)
{
    if (number < self->first)
        number = self->first;
    while (self->next > number)
        self->wire_bytes -= zmq_msg_size (&s_at (self, --self->next)->event);
}

static void
s_forget_first (stele_outbox_t *self)
{
    kept_t *kept = s_at (self, self->first);
    size_t size = zmq_msg_size (&kept->event);
    if (self->next > self->first) {
        self->wire_bytes -= size;
    }
    else {
        self->next++;
    }
    self->settled_bytes += (int64_t) size;
    zmq_msg_close (&kept->event);
    self->first++;
}

void
stele_outbox_settle (stele_outbox_t *self, int64_t number)
{
    while (self->first < self->end
    &&  (self->first <= number || s_at (self, self->first)->refused)) {
        if (!s_at (self, self->first)->refused)
            self->settled++;
        s_forget_first (self);
    }
}

bool
stele_outbox_refuse (stele_outbox_t *self, int64_t number)
{
    kept_t *kept = s_at (self, number);
    if (kept->refused)
        return false;
    kept->refused = true;
    self->settled++;
    stele_outbox_settle (self, self->first - 1);
    return true;
}

int64_t
stele_outbox_settled (const stele_outbox_t *self)
{
    return self->settled;
}

int64_t
stele_outbox_settled_bytes (const stele_outbox_t *self)
{
    return self->settled_bytes;
}
