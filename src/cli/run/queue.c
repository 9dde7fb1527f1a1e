/*  queue - events on their way from the thread that watches a command to the one that records it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include "base/memory.h"
#include "cli/run/queue.h"

typedef struct node {
    struct node *next;
    stele_event_t *event;
    int64_t bytes;
} node_t;

struct cli_queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    node_t *first;
    node_t **end;                   // Where the next node is linked
    int64_t put_bytes, taken_bytes, handled_bytes;
    bool closed, woken;
};

cli_queue_t *
cli_queue_new (void)
{
    cli_queue_t *self = STELE_NEW (cli_queue_t);
    pthread_mutex_init (&self->mutex, NULL);
    pthread_condattr_t steady;
    pthread_condattr_init (&steady);
    pthread_condattr_setclock (&steady, CLOCK_MONOTONIC);
    pthread_cond_init (&self->changed, &steady);
    pthread_condattr_destroy (&steady);
    self->end = &self->first;
    return self;
}

static stele_event_t *
s_unlink (cli_queue_t *self)
{
    node_t *node = self->first;
    stele_event_t *event = node->event;
    self->first = node->next;
    if (!self->first)
        self->end = &self->first;
    self->taken_bytes += node->bytes;
    free (node);
    return event;
}

void
cli_queue_destroy (cli_queue_t **self_p)
{
    cli_queue_t *self = *self_p;
    if (!self)
        return;
    while (self->first) {
        stele_event_t *event = s_unlink (self);
        stele_event_destroy (&event);
    }
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->mutex);
    free (self);
    *self_p = NULL;
}

void
cli_queue_put (cli_queue_t *self, stele_event_t **event_p)
{
    node_t *node = STELE_NEW (node_t);
    size_t size;
    stele_event_data (*event_p, &size);
    node->event = *event_p;
    node->bytes = (int64_t) size;
    *event_p = NULL;
    pthread_mutex_lock (&self->mutex);
    *self->end = node;
    self->end = &node->next;
    self->put_bytes += node->bytes;
    pthread_cond_signal (&self->changed);
    pthread_mutex_unlock (&self->mutex);
}

void
cli_queue_close (cli_queue_t *self)
{
    pthread_mutex_lock (&self->mutex);
    self->closed = true;
    pthread_cond_signal (&self->changed);
    pthread_mutex_unlock (&self->mutex);
}

void
cli_queue_wake (cli_queue_t *self)
{
    pthread_mutex_lock (&self->mutex);
    self->woken = true;
    pthread_cond_signal (&self->changed);
    pthread_mutex_unlock (&self->mutex);
}

int
cli_queue_take (cli_queue_t *self, stele_event_t **events, int max, int timeout_ms)
{
    struct timespec until;
    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    int count = 0;
    pthread_mutex_lock (&self->mutex);
    self->handled_bytes = self->taken_bytes;
    while (!self->first && !self->closed && !self->woken)
        if (pthread_cond_timedwait (&self->changed, &self->mutex, &until) == ETIMEDOUT)
            break;
    self->woken = false;
    while (self->first && count < max)
        events [count++] = s_unlink (self);
    if (count == 0 && self->closed)
        count = -1;
    pthread_mutex_unlock (&self->mutex);
    return count;
}

static int64_t
s_read (cli_queue_t *self, const int64_t *value)
{
    pthread_mutex_lock (&self->mutex);
    int64_t copy = *value;
    pthread_mutex_unlock (&self->mutex);
    return copy;
}

int64_t
cli_queue_put_bytes (cli_queue_t *self)
{
    return s_read (self, &self->put_bytes);
}

int64_t
cli_queue_handled_bytes (cli_queue_t *self)
{
    return s_read (self, &self->handled_bytes);
}
