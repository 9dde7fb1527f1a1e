/*  tiles - hash the events of a history tile by tile, those of a ledger on several threads

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include "base/memory.h"
#include "base/thread.h"
#include "cli/proof/tiles.h"
#include "ledger/derived.h"

#define BEGIN_ATTEMPTS 50

//  -- one state of the ledger for all readers -------------------------------------------------

static void
s_close (stele_reader_t **readers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        stele_reader_close (&readers [i]);
}

static size_t
s_open (const char *path, stele_reader_t **readers, size_t count)
{
    stele_refusal_t refusal;
    size_t opened = 0;
    while (opened < count && (readers [opened] = stele_reader_open (path, &refusal)))
        opened++;
    return opened;
}

//  Begin with all of them. What no connection has seen change between a moment before the first beginning and its own is the
//  same for all.
static bool
s_begin_same (stele_reader_t **all, size_t count)
{
    int64_t versions [CLI_TILES_THREADS_MAX];
    size_t begun = 0, same = 0;
    for (size_t i = 0; i < count; i++)
        versions [i] = stele_reader_version (all [i]);
    while (begun < count && stele_reader_begin (all [begun]) == 0)
        begun++;
    while (same < begun && versions [same] >= 0 && stele_reader_version (all [same]) == versions [same])
        same++;
    if (same == count)
        return true;
    while (begun > 0)
        stele_reader_end (all [--begun]);
    return false;
}

int
cli_tiles_begin (const cli_history_t *history, stele_reader_t **readers, size_t count)
{
    stele_reader_t *all [CLI_TILES_THREADS_MAX] = { history->reader };
    assert (count < CLI_TILES_THREADS_MAX);
    count = s_open (history->path, readers, count);
    for (size_t i = 0; i < count; i++)
        all [i + 1] = readers [i];
    for (int attempt = 0; count > 0 && attempt < BEGIN_ATTEMPTS; attempt++)
        if (s_begin_same (all, count + 1))
            return (int) count;
    s_close (readers, count);
    return stele_reader_begin (history->reader);
}

void
cli_tiles_end (const cli_history_t *history, stele_reader_t **readers, size_t count)
{
    s_close (readers, count);
    stele_reader_end (history->reader);
}

//  -- tiles -----------------------------------------------------------------------------------

typedef struct {
    int64_t last;
    bool shared;                    // There is more than one thread
    cli_tile_fn *fn;
    void *arg;
    pthread_mutex_t mutex;          // For what follows
    pthread_cond_t turned;
    int64_t next;                   // Number of the tile that is read next
    int64_t turn;                   // And of the one that is passed on next
    bool ended;                     // No more are passed on
    int code;
    stele_refusal_t refusal;
} s_tiles_t;

typedef struct {
    s_tiles_t *all;
    cli_history_t history;          // With the reader of this thread
    stele_tree_t *tree;
    stele_tile_t tile;
    stele_derive_batch_t *batch;
    int64_t number;                 // Of the tile
    int64_t position;               // Of the last event
    pthread_t thread;
} s_worker_t;

static void
s_clear (s_worker_t *self)
{
    self->tile.count = 0;
    self->tile.erased = self->tile.erased_recorded = 0;
    stele_derive_batch_clear (self->batch);
}

//  Pass on the tile when it is its turn. Nothing follows it if it is 'last', or there was a refusal.
static void
s_pass_on (s_worker_t *self, bool last, int code, const stele_refusal_t *refusal)
{
    s_tiles_t *all = self->all;
    pthread_mutex_lock (&all->mutex);
    while (all->turn != self->number && !all->ended)
        pthread_cond_wait (&all->turned, &all->mutex);
    if (!all->ended) {
        all->fn (&self->tile, self->batch, all->arg);
        all->ended = last;
        all->code = code;
        if (code)
            all->refusal = *refusal;
    }
    all->turn++;
    pthread_cond_broadcast (&all->turned);
    pthread_mutex_unlock (&all->mutex);
}

static int
s_on_event (int64_t position, const char *line, size_t size, const stele_record_t *event, void *arg)
{
    s_worker_t *self = arg;
    self->position = position;
    //  The hash of an erased event is an unknown key of it
    bool plain = event && event->extra.kind == STELE_VALUE_NONE && event->type != STELE_AUDIT_RECORDED;
    stele_tile_add (&self->tile, self->tree, line, size, plain);
    if (event)
        stele_derive_batch_add (self->batch, event, stele_reader_event_key (self->history.reader));
    if (self->tile.count == STELE_TILE) {
        s_pass_on (self, false, 0, NULL);
        self->number++;
        s_clear (self);
    }
    return 0;
}

//  Read the tile that has this number; without other threads, all from there
static void
s_read (s_worker_t *self)
{
    stele_refusal_t refusal;
    int64_t end = self->all->last;
    self->position = self->number * STELE_TILE;
    if (self->all->shared && end > self->position + STELE_TILE)
        end = self->position + STELE_TILE;
    int code = cli_history_read (&self->history, self->position, end, s_on_event, self, &refusal);
    //  If there are events after the one that is missing, this refuses
    if (code == 0 && self->position < end && end < self->all->last)
        code = cli_history_read (&self->history, self->position, self->all->last, s_on_event, self, &refusal);
    if (code || self->position < end || self->position == self->all->last)
        s_pass_on (self, true, code, &refusal);
    s_clear (self);
}

//  Take the next tile; false: there is none
static bool
s_take (s_worker_t *self)
{
    s_tiles_t *all = self->all;
    pthread_mutex_lock (&all->mutex);
    bool taken = !all->ended && all->next * STELE_TILE < all->last;
    self->number = all->next++;
    pthread_mutex_unlock (&all->mutex);
    return taken && (all->shared || self->number == 0);
}

static void *
s_run (void *arg)
{
    s_worker_t *self = arg;
    self->tree = stele_tree_new ();
    self->batch = stele_derive_batch_new ();
    while (s_take (self))
        s_read (self);
    stele_derive_batch_destroy (&self->batch);
    stele_tree_destroy (&self->tree);
    return NULL;
}

int
cli_tiles_read (const cli_history_t *history, stele_reader_t *const *readers, size_t count, int64_t last,
    cli_tile_fn *fn, void *arg, stele_refusal_t *refusal)
{
    s_tiles_t all = {
        .last = last? last: INT64_MAX, .shared = count > 0 && last, .fn = fn, .arg = arg
    };
    s_worker_t *workers = stele_memory_new ((count + 1) * sizeof *workers);
    size_t started = 1;
    pthread_mutex_init (&all.mutex, NULL);
    pthread_cond_init (&all.turned, NULL);
    for (size_t i = 0; i <= count; i++) {
        workers [i].all = &all;
        workers [i].history = *history;
        if (i > 0)
            workers [i].history.reader = readers [i - 1];
    }
    while (all.shared && started <= count && stele_thread_start (&workers [started].thread, s_run, &workers [started]))
        started++;
    s_run (&workers [0]);
    while (started > 1)
        pthread_join (workers [--started].thread, NULL);
    pthread_mutex_destroy (&all.mutex);
    pthread_cond_destroy (&all.turned);
    free (workers);
    *refusal = all.refusal;
    return all.code;
}
