/*  archive_follower - the follower that moves tasks that ended long ago, and their sessions, to the archives (ledger/archive.h)

    It copies some, requests the writer to replace them by stubs ("archive"), waits for the answer, rests, and
    continues with the next ones until it has seen all of them. New tasks pass the age only slowly, so then it waits for long.
    It rests several times as long as a step takes: the copies take the disk from the writer.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/thread.h"
#include "broker/common/log.h"
#include "broker/followers/follower.h"
#include "ledger/archive.h"
#include "wire/map.h"

#define NAME "archive"
#define NICE 10
#define REST 4                      // Times as long as the last step took
#define REST_MS_MIN 5
#define RETRY_MS 2000
#define PASSES 20                   // Passes over the tasks while one reaches the age
#define PASS_MS_MIN 200
#define PASS_MS_MAX 3600000
#define AGAIN_MS 15000              // The next pass, if a step of this one failed

typedef struct {
    stele_follower_t follower;
    zsock_t *writer;                // DEALER
    stele_archiver_t *archiver;
    int64_t after_us;               // Age at which a task is archived
    stele_archive_step_t step;
    bool waiting;                   // For the writer's answer to that step
    int64_t begun_ms, next_ms;      // Steady clock: of the step that runs, and of the next one
    int64_t moved, moved_pass;      // Tasks, since the start and in this pass
    int64_t sessions, sessions_pass;    // The same of sessions
    char failure [512];             // Why the last step that failed did; "": none since all was well
    bool failed;                    // One of this pass did
} s_archive_t;

static void
s_pack_stats (void *arg)
{
    s_archive_t *self = arg;
    stele_pack_t *pack = self->follower.pack;
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "after_s", self->after_us / 1000000);
    stele_pack_key_integer (pack, "moved", self->moved);
    stele_pack_key_integer (pack, "moved_sessions", self->sessions);
    stele_pack_key_string (pack, "state", *self->failure? "failing": "live");
    if (*self->failure)
        stele_pack_key_string (pack, "error", self->failure);
    stele_pack_map_end (pack);
}

static void
s_rest (s_archive_t *self, int64_t ms)
{
    self->waiting = false;
    self->next_ms = stele_clock_steady_ms () + ms;
}

static void
s_fail (s_archive_t *self, const char *reason)
{
    if (strcmp (self->failure, reason) != 0)
        stele_log_warning (NAME, NAME ": cannot move tasks or sessions, retrying; the ledger keeps them: %s", reason);
    snprintf (self->failure, sizeof self->failure, "%s", reason);
    self->failed = true;
    s_rest (self, RETRY_MS);
}

static void
s_end_pass (s_archive_t *self)
{
    int64_t pass_ms = self->after_us / 1000 / PASSES, most_ms = self->failed? AGAIN_MS: PASS_MS_MAX;
    if (self->moved_pass)
        stele_log_info (NAME, NAME ": %lld tasks were moved to archives", (long long) self->moved_pass);
    if (self->sessions_pass)
        stele_log_info (NAME, NAME ": %lld sessions were moved to archives", (long long) self->sessions_pass);
    if (*self->failure && !self->failed) {
        stele_log_info (NAME, NAME ": what is old is moved again");
        *self->failure = 0;
    }
    self->moved_pass = self->sessions_pass = 0;
    self->failed = false;
    s_rest (self, pass_ms < PASS_MS_MIN? PASS_MS_MIN: pass_ms > most_ms? most_ms: pass_ms);
}

static void
s_request (s_archive_t *self)
{
    stele_pack_t *pack = self->follower.pack;
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "archive");
    stele_pack_key_integer (pack, "year", self->step.year);
    stele_pack_key_string (pack, "archive_id", self->step.archive_id);
    stele_pack_key_bool (pack, "sessions", self->step.sessions);
    stele_pack_key (pack, "items");
    stele_pack_array (pack, (size_t) self->step.count * 3);
    for (int i = 0; i < self->step.count; i++) {
        stele_pack_integer (pack, self->step.items [i].key);
        stele_pack_integer (pack, self->step.items [i].position);
        stele_pack_integer (pack, self->step.items [i].events);
    }
    stele_pack_map_end (pack);
    zsock_send (self->writer, "sb", NAME, stele_pack_data (pack), stele_pack_size (pack));
    self->waiting = true;
}

static void
s_copy (s_archive_t *self)
{
    stele_refusal_t refusal = { 0 };
    self->begun_ms = stele_clock_steady_ms ();
    int count = stele_archiver_copy (self->archiver, stele_clock_us () - self->after_us, &self->step, &refusal);
    if (count < 0)
        s_fail (self, refusal.message);
    else
    if (count == 0)
        s_end_pass (self);
    else
        s_request (self);
}

static void
s_take_answer (s_archive_t *self, zframe_t *frame)
{
    char reason [300];
    stele_map_t answer, error;
    bool ok = false;
    int64_t moved = 0;
    if (stele_map_open (&answer, zframe_data (frame), zframe_size (frame)) == 0 && stele_map_bool (&answer, "ok", &ok) && ok
    &&  stele_map_integer (&answer, "moved", &moved)) {
        *(self->step.sessions? &self->sessions: &self->moved) += moved;
        *(self->step.sessions? &self->sessions_pass: &self->moved_pass) += moved;
        int64_t rest_ms = (stele_clock_steady_ms () - self->begun_ms) * REST;
        s_rest (self, rest_ms < REST_MS_MIN? REST_MS_MIN: rest_ms);
        return;
    }
    snprintf (reason, sizeof reason, "the writer gave no answer");
    if (stele_map_map (&answer, "error", &error))
        stele_map_message (&error, reason, sizeof reason);
    s_fail (self, reason);
}

static int
s_step (void *arg)
{
    s_archive_t *self = arg;
    while (zsock_events (self->writer) & ZMQ_POLLIN) {
        zmsg_t *answer = zmsg_recv (self->writer);
        if (answer && self->waiting)
            s_take_answer (self, zmsg_last (answer));
        zmsg_destroy (&answer);
    }
    if (!self->waiting && stele_clock_steady_ms () >= self->next_ms)
        s_copy (self);
    int64_t wait_ms = self->waiting? PASS_MS_MAX: self->next_ms - stele_clock_steady_ms ();
    return wait_ms < 0? 0: (int) wait_ms;
}

static int
s_open (void *arg, stele_refusal_t *refusal)
{
    (void) refusal;
    s_archive_t *self = arg;
    const stele_settings_t *settings = self->follower.settings;
    char endpoint [80];
    stele_thread_nice (NICE);
    self->follower.ignore_heads = true;
    self->after_us = stele_settings_archive_after_s (settings) * 1000000;
    self->archiver = stele_archiver_new (settings->ledger, (mode_t) strtoul (settings->file_mode, NULL, 8),
        self->follower.reader);
    self->writer = zsock_new (ZMQ_DEALER);
    assert (self->archiver && self->writer);
    int rc = zsock_connect (self->writer, "%s", stele_settings_inproc (settings, "writer", endpoint));
    assert (rc == 0);
    self->follower.watched [0] = (zmq_pollitem_t) { zsock_resolve (self->writer), 0, ZMQ_POLLIN, 0 };
    self->follower.watched_count = 1;
    return 0;
}

static void
s_close (void *arg)
{
    s_archive_t *self = arg;
    stele_archiver_destroy (&self->archiver);
    zsock_destroy (&self->writer);
}

void
stele_archive_follower (zsock_t *pipe, void *args)
{
    static const stele_follower_class_t class = {
        .name = NAME, .open = s_open, .step = s_step, .pack_stats = s_pack_stats, .close = s_close
    };
    s_archive_t self = { .waiting = false };
    stele_follower_run (&self.follower, &class, pipe, args);
}
