/*  hashing - make the lines of events and their hashes on a thread of its own, while the caller reads

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cli/proof/hashing.h"
#include "proof/line.h"

#define BATCH_EVENTS 512
#define BATCHES 4

typedef struct {
    char *data;
    size_t size, room;
    size_t ends [BATCH_EVENTS];     // Of the events in 'data'
    size_t count;
} s_batch_t;

struct cli_hashing {
    stele_verifier_t *verifier;
    stele_line_maker_t *lines;
    pthread_t thread;
    pthread_mutex_t mutex;          // For the next three
    pthread_cond_t changed;
    uint64_t added, done;           // Batches
    bool ended;
    bool failed;                    // Of the thread, read after its end
    s_batch_t batches [BATCHES];    // Number 'added' is the caller's, 'done' the thread's
};

static void
s_hash (cli_hashing_t *self, const s_batch_t *batch)
{
    size_t start = 0, size;
    for (size_t i = 0; i < batch->count && !self->failed; i++) {
        const char *line = stele_line_make_packed (self->lines, batch->data + start, batch->ends [i] - start, &size);
        self->failed = !line;
        if (line)
            stele_verifier_line (self->verifier, line, size);
        start = batch->ends [i];
    }
}

static void *
s_run (void *arg)
{
    cli_hashing_t *self = arg;
    pthread_mutex_lock (&self->mutex);
    while (true) {
        while (self->done == self->added && !self->ended)
            pthread_cond_wait (&self->changed, &self->mutex);
        if (self->done == self->added)
            break;
        pthread_mutex_unlock (&self->mutex);
        s_hash (self, &self->batches [self->done % BATCHES]);
        pthread_mutex_lock (&self->mutex);
        self->done++;
        pthread_cond_signal (&self->changed);
    }
    pthread_mutex_unlock (&self->mutex);
    return NULL;
}

cli_hashing_t *
cli_hashing_new (stele_verifier_t *verifier)
{
    cli_hashing_t *self = STELE_NEW (cli_hashing_t);
    self->verifier = verifier;
    self->lines = stele_line_maker_new ();
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->changed, NULL);
    int rc = pthread_create (&self->thread, NULL, s_run, self);
    assert (rc == 0);
    return self;
}

//  Hand over the batch, and wait until there is room for the next one
static void
s_hand_over (cli_hashing_t *self)
{
    pthread_mutex_lock (&self->mutex);
    self->added++;
    pthread_cond_signal (&self->changed);
    while (self->added - self->done == BATCHES)
        pthread_cond_wait (&self->changed, &self->mutex);
    s_batch_t *next = &self->batches [self->added % BATCHES];
    next->size = next->count = 0;
    pthread_mutex_unlock (&self->mutex);
}

void
cli_hashing_add (cli_hashing_t *self, const void *packed, size_t size)
{
    s_batch_t *batch = &self->batches [self->added % BATCHES];
    batch->data = stele_array_must_grow (batch->data, &batch->room, batch->size + size, 1);
    memcpy (batch->data + batch->size, packed, size);
    batch->size += size;
    batch->ends [batch->count++] = batch->size;
    if (batch->count == BATCH_EVENTS)
        s_hand_over (self);
}

bool
cli_hashing_end (cli_hashing_t **self_p)
{
    cli_hashing_t *self = *self_p;
    s_hand_over (self);
    pthread_mutex_lock (&self->mutex);
    self->ended = true;
    pthread_cond_signal (&self->changed);
    pthread_mutex_unlock (&self->mutex);
    pthread_join (self->thread, NULL);
    bool hashed = !self->failed;
    for (size_t i = 0; i < BATCHES; i++)
        free (self->batches [i].data);
    stele_line_maker_destroy (&self->lines);
    pthread_mutex_destroy (&self->mutex);
    pthread_cond_destroy (&self->changed);
    free (self);
    *self_p = NULL;
    return hashed;
}
