/*  recorder - a thread that makes the events of a run durable and sends them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // pthread_timedjoin_np

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "cli/run/recorder.h"
#include "cli/run/slots.h"
#include "cli/run/task_events.h"
#include "cli/shared/reach.h"

#define BATCH_EVENTS 64             // Stored with one sync
#define IDLE_MS 500
#define OUTPUTS_BYTES_MAX 268435456 // Size of a spool that takes no more outputs
#define ANSWER_MS 1000              // Wait for a broker that has not answered yet
#define ACK_MS 5000                 // ... and for one that has
#define OTHERS_MS 2000              // To send what earlier runs have left
#define REFUSALS_MAX 10             // Texts of refusals that are printed
#define HUNG_S 20                   // Time for a disk that does not answer

struct cli_recorder {
    const cli_t *cli;
    const char *task, *producer, *place;
    bool quiet;
    cli_queue_t *queue;
    atomic_int flush_ms;            // The main thread waits that long for the broker; 0: it does not
    pthread_t thread;
    char *folder;                   // Of the spools; NULL: there is none
    char *path;                     // The spool; NULL: events are only in memory
    stele_client_t *client;
    stele_event_t **kept;           // To be tried again
    size_t kept_count, kept_room;
    int64_t dropped_bytes;          // Outputs that were not recorded
    bool unspooled;                 // No spool can be used
    char why [640];                 // The last reason for which something was not stored
};

static void
s_warn (cli_recorder_t *self, const char *text)
{
    if (!self->quiet)
        cli_warn ("%s", text);
}

//  -- storing ---------------------------------------------------------------------------

static void
s_open (cli_recorder_t *self, bool accept_loss)
{
    stele_client_destroy (&self->client);
    free (self->path);
    self->path = NULL;
    if (!self->folder && !self->unspooled)
        self->folder = cli_slots_folder (self->place, self->cli->events, self->cli->key, self->why,
            sizeof self->why);
    if (self->folder && !self->unspooled)
        self->client = cli_slots_client (self->cli, self->folder, self->producer, accept_loss, &self->path,
            self->why, sizeof self->why);
    if (self->client)
        return;
    if (!self->unspooled)
        s_warn (self, self->why);
    self->unspooled = true;
    self->client = cli_slots_client_unspooled (self->cli);
}

static bool
s_is_output (const stele_event_t *event)
{
    return strcmp (stele_event_type (event), "task.output_added") == 0;
}

//  Publish the events that are not NULL. A failed publish destroys its events, so publish copies. Those that
//  were accepted become NULL. Returns as stele_client_publish_all.
static int64_t
s_publish (cli_recorder_t *self, stele_event_t **events, size_t count)
{
    stele_event_t *copies [BATCH_EVENTS];
    stele_event_t **from [BATCH_EVENTS];
    size_t copied = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size;
        if (!events [i])
            continue;
        const void *data = stele_event_data (events [i], &size);
        from [copied] = &events [i];
        copies [copied++] = stele_event_decode (data, size, NULL, 0);
    }
    int64_t number = copied? stele_client_publish_all (self->client, copies, copied, 0): 1;
    if (number < 0)
        snprintf (self->why, sizeof self->why, "%s", stele_client_error (self->client));
    for (size_t i = 0; i < copied; i++) {
        //  Without a spool the first events may have been accepted
        if (number > 0 || (!self->path && !copies [i] && number == STELE_ETIMEOUT))
            stele_event_destroy (from [i]);
        stele_event_destroy (&copies [i]);
    }
    return number;
}

//  These events cannot be stored now: drop outputs, keep the others
static void
s_keep (cli_recorder_t *self, stele_event_t **events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t size;
        if (!events [i])
            continue;
        if (s_is_output (events [i])) {
            stele_event_string (events [i], "content", &size);
            self->dropped_bytes += (int64_t) size;
            stele_event_destroy (&events [i]);
            continue;
        }
        self->kept = stele_array_must_grow (self->kept, &self->kept_room, self->kept_count + 1, sizeof *self->kept);
        self->kept [self->kept_count++] = events [i];
        events [i] = NULL;
    }
}

//  Does the failure end the client, so that another one is needed?
static bool
s_is_end (cli_recorder_t *self, int64_t code)
{
    return code != STELE_EFULL && code != STELE_ETIMEOUT && code != STELE_ETOO_LARGE
        && stele_client_poll (self->client) < 0;
}

//  The client has ended with this code. A broker with another ledger, or one that lost events, gets those that
//  wait; any other spool is left alone.
static void
s_reopen (cli_recorder_t *self, int64_t code)
{
    bool loss = code == STELE_EBEHIND || code == STELE_ELEDGER;
    snprintf (self->why, sizeof self->why, "%s", stele_client_error (self->client));
    s_warn (self, self->why);
    self->unspooled = !loss;
    s_open (self, loss);
}

//  Receive acks. True: the broker has another ledger or lost events, and the client was opened again
static bool
s_poll (cli_recorder_t *self)
{
    int64_t code = stele_client_poll (self->client);
    if (code != STELE_EBEHIND && code != STELE_ELEDGER)
        return false;
    s_reopen (self, code);
    return true;
}

//  Publish, with another client if this one has ended. Returns as s_publish.
static int64_t
s_try (cli_recorder_t *self, stele_event_t **events, size_t count)
{
    int64_t number = s_publish (self, events, count);
    if (number > 0 || !s_is_end (self, number))
        return number;
    s_reopen (self, number);
    return s_publish (self, events, count);
}

static void
s_store (cli_recorder_t *self, stele_event_t **events, size_t count)
{
    int64_t number = s_try (self, events, count);
    //  The rest may be stored without the large one, or without the outputs; in order, up to the first that is not
    bool blocked = number > 0 || count == 1;
    for (size_t i = 0; i < count && !blocked; i++)
        if (events [i] && (!s_is_output (events [i]) || number == STELE_ETOO_LARGE))
            blocked = s_try (self, events + i, 1) < 0 && !s_is_output (events [i]);
    s_keep (self, events, count);
}

//  True: nothing is kept any more
static bool
s_store_kept (cli_recorder_t *self)
{
    while (self->kept_count > 0) {
        size_t count = self->kept_count < BATCH_EVENTS? self->kept_count: BATCH_EVENTS;
        if (s_try (self, self->kept, count) < 0)
            s_try (self, self->kept, 1);
        size_t stored = 0;
        while (stored < self->kept_count && !self->kept [stored])
            stored++;
        if (stored == 0)
            return false;
        self->kept_count -= stored;
        memmove (self->kept, self->kept + stored, self->kept_count * sizeof *self->kept);
    }
    return true;
}

static bool
s_has_room (const cli_recorder_t *self)
{
    struct stat status;
    return !self->path || stat (self->path, &status) != 0 || status.st_size < OUTPUTS_BYTES_MAX;
}

static void
s_take (cli_recorder_t *self, stele_event_t **events, size_t count)
{
    if (!s_store_kept (self)) {
        s_keep (self, events, count);
        return;
    }
    size_t left = 0;
    bool room = s_has_room (self);
    for (size_t i = 0; i < count; i++)
        if (room || !s_is_output (events [i]))
            events [left++] = events [i];
        else {
            snprintf (self->why, sizeof self->why, "the spool %s is full", self->path);
            s_keep (self, events + i, 1);
        }
    if (left > 0)
        s_store (self, events, left);
}

//  -- the end -------------------------------------------------------------------------

static void
s_note_dropped (cli_recorder_t *self)
{
    if (self->dropped_bytes == 0)
        return;
    char text [900];
    snprintf (text, sizeof text, "%" PRId64 " bytes of output were not recorded: %s", self->dropped_bytes, self->why);
    s_warn (self, text);
    stele_event_t *event = cli_task_event_output (self->task, "diagnostic", text, strlen (text));
    s_publish (self, &event, 1);
    stele_event_destroy (&event);
}

static bool
s_is_away (cli_recorder_t *self)
{
    char why [256];
    return cli_reach (self->cli->events, self->cli->key, 200, why, sizeof why) >= CLI_REACH_NOBODY;
}

//  A cause that refuses the task refuses all its outputs, too: print each text once
static void
s_warn_refused (cli_recorder_t *self)
{
    char *printed [REFUSALS_MAX];
    size_t count = 0;
    stele_receipt_t refused;
    for (int64_t i = 0; count < REFUSALS_MAX && stele_client_refusal (self->client, i, &refused); i++) {
        const char *text = refused.message? refused.message: stele_error_text (refused.code);
        size_t same = 0;
        while (same < count && strcmp (printed [same], text) != 0)
            same++;
        if (refused.code == STELE_EEXISTS || same < count)
            continue;
        s_warn (self, text);
        printed [count++] = stele_memory_copy (text, strlen (text));
    }
    while (count > 0)
        free (printed [--count]);
}

//  The disk does not take the last events, but the broker is there: send them without a spool. Returns the number of
//  events that are not acked.
static int64_t
s_send_kept (cli_recorder_t *self)
{
    stele_client_close (self->client, false, 0);
    self->unspooled = true;
    s_open (self, false);
    s_store_kept (self);
    stele_client_flush (self->client, cli_timeout (self->cli, ACK_MS));
    return stele_client_poll (self->client);
}

//  The lease or the next run finds out about a run whose events wait
static void
s_deliver (cli_recorder_t *self)
{
    int wait_ms = ACK_MS;
    if (stele_client_ready (self->client, 0) != 0)
        wait_ms = s_is_away (self)? 0: ANSWER_MS;
    stele_client_flush (self->client, cli_timeout (self->cli, wait_ms));
    if (s_poll (self))
        stele_client_flush (self->client, cli_timeout (self->cli, ACK_MS));
    int64_t waiting = stele_client_poll (self->client);
    if (waiting == 0 && self->kept_count > 0 && self->path)
        waiting = s_send_kept (self);
    char text [1200];
    s_warn_refused (self);
    if (waiting == 0 && self->kept_count == 0) {
        stele_client_close (self->client, false, 0);
        if (self->path)
            cli_slots_send_others (self->cli, self->folder, self->path, OTHERS_MS);
        return;
    }
    if (self->kept_count > 0 || !self->path)
        snprintf (text, sizeof text, "the end of task %s is not recorded: %s", self->task,
            *self->why? self->why: "no broker answers, and there is no spool");
    else {
        const char *error = stele_client_error (self->client);
        snprintf (text, sizeof text, "no ack from %s%s%s; the events of task %s are durable in %s, and the next 'stele run' "
            "sends them", self->cli->events, error && *error? ": ": "", error? error: "", self->task, self->path);
    }
    s_warn (self, text);
}

static void *
s_thread (void *arg)
{
    cli_recorder_t *self = arg;
    stele_thread_name ("recorder");
    s_open (self, false);
    stele_event_t *events [BATCH_EVENTS];
    while (true) {
        int flush_ms = atomic_load (&self->flush_ms);
        int count = cli_queue_take (self->queue, events, BATCH_EVENTS, flush_ms > 0? 0: IDLE_MS);
        if (count < 0)
            break;
        if (count > 0)
            s_take (self, events, (size_t) count);
        else
        if (self->kept_count > 0)
            s_store_kept (self);
        s_poll (self);
        //  All that was put before the wish is stored
        if (flush_ms > 0 && count == 0) {
            if (stele_client_ready (self->client, 0) == 0)
                stele_client_flush (self->client, flush_ms);
            atomic_store (&self->flush_ms, 0);
        }
    }
    s_store_kept (self);
    s_note_dropped (self);
    s_deliver (self);
    stele_client_destroy (&self->client);
    return NULL;
}

cli_recorder_t *
cli_recorder_new (const cli_t *cli, const char *task, const char *producer, const char *spool, bool quiet)
{
    cli_recorder_t *self = STELE_NEW (cli_recorder_t);
    self->cli = cli;
    self->task = task;
    self->producer = producer;
    self->place = spool;
    self->quiet = quiet;
    self->queue = cli_queue_new ();
    if (!stele_thread_start (&self->thread, s_thread, self)) {
        cli_report ("cannot start a thread: the command is not recorded");
        self->thread = pthread_self ();
    }
    return self;
}

cli_queue_t *
cli_recorder_queue (cli_recorder_t *self)
{
    return self->queue;
}

void
cli_recorder_flush (cli_recorder_t *self, int timeout_ms)
{
    int64_t deadline = stele_clock_steady_ms () + timeout_ms;
    atomic_store (&self->flush_ms, timeout_ms);
    cli_queue_wake (self->queue);
    while (atomic_load (&self->flush_ms) && stele_clock_steady_ms () < deadline)
        poll (NULL, 0, 2);
}

bool
cli_recorder_destroy (cli_recorder_t **self_p)
{
    cli_recorder_t *self = *self_p;
    *self_p = NULL;
    cli_queue_close (self->queue);
    struct timespec until;
    clock_gettime (CLOCK_REALTIME, &until);
    //  It waits for the broker as long as the user wants, up to three times
    until.tv_sec += HUNG_S + 3 * (cli_timeout (self->cli, 0) / 1000);
    bool never = pthread_equal (self->thread, pthread_self ());
    if (never || pthread_timedjoin_np (self->thread, NULL, &until)) {
        cli_report ("the end of task %s is not recorded: the disk of the spool does not answer", self->task);
        return never;
    }
    while (self->kept_count > 0)
        stele_event_destroy (&self->kept [--self->kept_count]);
    free (self->kept);
    cli_queue_destroy (&self->queue);
    free (self->folder);
    free (self->path);
    free (self);
    return true;
}
