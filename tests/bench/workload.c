/*  workload - messages of six-event tasks, encoded beforehand

    A task is created (some 600 bytes), runs, gives one output and one metric, completes and
    passes: about 1.24 kB of msgpack. Ids are random UUIDs; the events of a producer's tasks
    are interleaved at random. The text is made of words, so that it compresses as text does.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"
#include "base/clock.h"
#include "wire/pack.h"

#define TASK_US 10                  // From one new task to the next

//  splitmix64: small, and portable
static uint64_t
s_random (uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void
bench_task_id (uint64_t seed, int index, int64_t number, char *id)
{
    uint64_t state = seed * 0xD1342543DE82EF95u + (uint64_t) index * 0x2545F4914F6CDD1Du
        + (uint64_t) number * 0x9FB21C651E98DF25u;
    uint64_t high = s_random (&state), low = s_random (&state);
    snprintf (id, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned) (high >> 32),
        (unsigned) (high >> 16 & 0xFFFF), (unsigned) (high & 0xFFF),
        (unsigned) (low >> 50 | 0x8000) & 0xBFFF, (unsigned long long) (low & 0xFFFFFFFFFFFFu));
}

//  -- messages --------------------------------------------------------------------------

struct bench_batcher {
    bench_messages_t *messages;
    stele_pack_t *events;
    stele_pack_t *message;
    int batch, count;
};

bench_batcher_t *
bench_batcher_new (bench_messages_t *messages, int batch)
{
    bench_batcher_t *self = calloc (1, sizeof *self);
    assert (self);
    self->messages = messages;
    self->events = stele_pack_new ();
    self->message = stele_pack_new ();
    self->batch = batch;
    return self;
}

static void
s_close_message (bench_batcher_t *self)
{
    bench_messages_t *messages = self->messages;
    stele_pack_clear (self->message);
    stele_pack_map (self->message, 3);
    stele_pack_key_string (self->message, "op", "publish");
    stele_pack_key_integer (self->message, "sequence", messages->events - self->count + 1);
    stele_pack_string (self->message, "events");
    stele_pack_array (self->message, (size_t) self->count);
    stele_pack_packed (self->message, stele_pack_data (self->events), stele_pack_size (self->events));
    size_t size = stele_pack_size (self->message);
    if (messages->size + size > messages->room) {
        messages->room = (messages->size + size) * 2;
        messages->bytes = realloc (messages->bytes, messages->room);
        assert (messages->bytes);
    }
    if (messages->count == messages->ends_room) {
        messages->ends_room = messages->ends_room? messages->ends_room * 2: 256;
        messages->ends = realloc (messages->ends, messages->ends_room * sizeof *messages->ends);
        messages->last = realloc (messages->last, messages->ends_room * sizeof *messages->last);
        assert (messages->ends && messages->last);
    }
    memcpy (messages->bytes + messages->size, stele_pack_data (self->message), size);
    messages->size += size;
    messages->ends [messages->count] = messages->size;
    messages->last [messages->count++] = messages->events;
    stele_pack_clear (self->events);
    self->count = 0;
}

void
bench_batcher_add (bench_batcher_t *self, const void *event, size_t size)
{
    stele_pack_packed (self->events, event, size);
    self->messages->events++;
    self->messages->event_bytes += size;
    if (++self->count == self->batch)
        s_close_message (self);
}

void
bench_batcher_destroy (bench_batcher_t **self_p)
{
    assert (self_p);
    bench_batcher_t *self = *self_p;
    if (!self)
        return;
    if (self->count)
        s_close_message (self);
    stele_pack_destroy (&self->events);
    stele_pack_destroy (&self->message);
    free (self);
    *self_p = NULL;
}

void
bench_messages_clear (bench_messages_t *self)
{
    free (self->bytes);
    free (self->ends);
    free (self->last);
    *self = (bench_messages_t) { 0 };
}

//  -- tasks -----------------------------------------------------------------------------

size_t
bench_text (uint64_t *state, char *text, size_t size)
{
    static const char *const words [] = {
        "the", "a", "of", "in", "returns", "when", "file", "test", "error", "value", "parser",
        "should", "not", "model", "field", "query", "line", "import", "class", "self", "None",
        "build", "step", "failed", "module", "path", "cache", "index", "token", "branch", "merge",
        "commit", "run", "output", "expected", "actual", "timeout", "retry", "config", "default"
    };
    size_t length = 0;
    while (length < size) {
        uint64_t random = s_random (state);
        const char *word = words [random % (sizeof words / sizeof words [0])];
        size_t left = size - length;
        int n = random >> 60 == 0
            ? snprintf (text + length, left + 1, "%x ", (unsigned) (random >> 32))
            : snprintf (text + length, left + 1, "%s ", word);
        length += (size_t) n < left? (size_t) n: left;
    }
    return size;
}

//  Start time of the task. Times start at the creation of this load and advance by TASK_US per task,
//  less than any broker here needs for one, so that none is in the future.
static int64_t
s_time (const bench_workload_t *self, int index, int64_t number)
{
    static int64_t start_us;
    if (start_us == 0 || (index == 0 && number == 0))
        start_us = stele_clock_us ();
    return start_us + number * self->producers * TASK_US;
}

static void
s_created (stele_pack_t *pack, uint64_t *state, const char *id, int64_t time)
{
    static const char *const roles [] = { "coder", "reviewer", "planner", "tester" };
    char text [512];
    stele_pack_map (pack, 10);
    stele_pack_key_string (pack, "type", "task.created");
    stele_pack_key_string (pack, "task_id", id);
    stele_pack_string (pack, "title");
    stele_pack_text (pack, text, bench_text (state, text, 48));
    stele_pack_string (pack, "description");
    stele_pack_text (pack, text, bench_text (state, text, 280));
    stele_pack_key_string (pack, "role", roles [s_random (state) & 3]);
    stele_pack_key_string (pack, "provider", s_random (state) & 1? "anthropic": "google");
    stele_pack_key_string (pack, "model", s_random (state) & 1? "model-large-2": "model-small-2");
    stele_pack_key_string (pack, "repository_url", "https://git.example/team/project.git");
    stele_pack_key_integer (pack, "time", time);
    stele_pack_string (pack, "metadata");
    stele_pack_map (pack, 2);
    stele_pack_key_string (pack, "pipeline", "nightly");
    stele_pack_key_integer (pack, "attempt", (int64_t) (s_random (state) % 3));
}

void
bench_state (stele_pack_t *pack, const char *id, const char *word)
{
    stele_pack_map (pack, 3);
    stele_pack_key_string (pack, "type", "task.state_changed");
    stele_pack_key_string (pack, "task_id", id);
    stele_pack_key_string (pack, "state", word);
}

void
bench_output (stele_pack_t *pack, uint64_t *state, const char *id, size_t size)
{
    char text [8192];
    stele_pack_map (pack, 4);
    stele_pack_key_string (pack, "type", "task.output_added");
    stele_pack_key_string (pack, "task_id", id);
    stele_pack_key_string (pack, "output_type", "stdout");
    stele_pack_string (pack, "content");
    stele_pack_text (pack, text, bench_text (state, text, size));
}

static void
s_metric (stele_pack_t *pack, uint64_t *state, const char *id)
{
    stele_pack_map (pack, 5);
    stele_pack_key_string (pack, "type", "task.metric_recorded");
    stele_pack_key_string (pack, "task_id", id);
    stele_pack_key_string (pack, "name", "tokens");
    stele_pack_key_real (pack, "value", (double) (s_random (state) % 100000) / 4);
    stele_pack_key_string (pack, "unit", "tokens");
}

static void
s_event (stele_pack_t *pack, uint64_t *state, const char *id, int64_t time, int number)
{
    switch (number) {
        case 0: s_created (pack, state, id, time); break;
        case 1: bench_state (pack, id, "running"); break;
        case 2: bench_output (pack, state, id, 200); break;
        case 3: s_metric (pack, state, id); break;
        case 4: bench_state (pack, id, "completing"); break;
        default: bench_state (pack, id, "passed");
    }
}

static void
s_tasks (const bench_workload_t *self, int index, bench_batcher_t *batcher)
{
    typedef struct { char id [37]; int64_t time; int event; } s_task_t;
    uint64_t state = self->seed * 1000003 + (uint64_t) index;
    int64_t total = self->tasks / self->producers, begun = 0;
    int width = self->in_flight / self->producers > 1? self->in_flight / self->producers: 1;
    s_task_t *live = calloc ((size_t) width, sizeof *live);
    assert (live);
    int count = 0;
    stele_pack_t *pack = stele_pack_new ();
    while (begun < total || count > 0) {
        while (count < width && begun < total) {
            live [count].time = s_time (self, index, begun);
            bench_task_id (self->seed, index, begun++, live [count].id);
            live [count++].event = 0;
        }
        int pick = (int) (s_random (&state) % (uint64_t) count);
        s_task_t *task = &live [pick];
        stele_pack_clear (pack);
        if (self->event)
            self->event (pack, &state, task->id, task->event++);
        else
            s_event (pack, &state, task->id, task->time, task->event++);
        bench_batcher_add (batcher, stele_pack_data (pack), stele_pack_size (pack));
        if (task->event == self->events_a_task)
            *task = live [--count];
    }
    stele_pack_destroy (&pack);
    free (live);
}

bench_messages_t
bench_workload_messages (const bench_workload_t *self, int index)
{
    bench_messages_t messages = { 0 };
    bench_batcher_t *batcher = bench_batcher_new (&messages, self->batch);
    if (self->stream)
        bench_stream_messages (self->stream, self->tasks, self->producers, index, self->seed, batcher);
    else
        s_tasks (self, index, batcher);
    bench_batcher_destroy (&batcher);
    return messages;
}
