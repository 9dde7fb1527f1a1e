/*  snapshot_follower - the actor of the backups: their schedule, their requests, their statistics

    It starts a job (snapshot_job.h) once per day, and when a client requests one. One job runs at a time.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "broker/access/delegate.h"
#include "broker/access/identity_frame.h"
#include "broker/common/actor.h"
#include "broker/common/answer.h"
#include "broker/common/log.h"
#include "broker/followers/follower.h"
#include "broker/followers/snapshot_job.h"
#include "broker/operations/operations.h"
#include "repository/repository.h"
#include "repository/snapshots.h"

#define NAME     "backup"
#define IDLE_MS  1000
#define RETRY_MS 600000             // After a failure
#define LIST_MAX 1000               // Snapshots in an answer
#define DAY_MS   86400000
#define DAY_US   (DAY_MS * (int64_t) 1000)

typedef struct {
    stele_follower_t follower;
    zactor_t *job;                  // NULL: none runs
    stele_snapshot_job_args_t job_args;
    int64_t started, finished;      // Numbers of the last job that was started, and that ended
    bool wanted;                    // Start another job when this one ends
    char state [16];                // Of the job, as it reports them
    int64_t done, total;
    int64_t at_us;                  // Time of the day of the schedule
    int64_t retry_ms, taken_ms;     // Steady clock: not before; of the last success in this process (0: none)
    char error [640];               // Of the last job; "": it succeeded
    int64_t failed_ms;              // Steady clock: since when none succeeds
    int64_t snapshots, bytes;       // In the repository
    stele_snapshot_entry_t newest;  // name "": none
} s_backup_t;

//  Read what the repository has
static void
s_look (s_backup_t *self)
{
    stele_snapshot_entry_t *entries = NULL;
    stele_refusal_t refusal;
    int64_t count = stele_snapshots_list (self->follower.settings->backup, &entries, &refusal);
    self->snapshots = self->bytes = 0;
    self->newest = (stele_snapshot_entry_t) { .name = "" };
    for (int64_t i = 0; i < count; i++)
        if (entries [i].sound) {
            self->newest = entries [i];
            self->snapshots++;
            self->bytes += entries [i].file_bytes;
        }
    free (entries);
}

//  -- jobs --------------------------------------------------------------------------------

static void
s_start (s_backup_t *self)
{
    self->wanted = false;
    self->started++;
    snprintf (self->state, sizeof self->state, "copying");
    self->done = self->total = 0;
    self->job = stele_actor_new (stele_snapshot_job, &self->job_args);
    self->follower.watched_count = self->job? 1: 0;
    if (self->job)
        self->follower.watched [0] = (zmq_pollitem_t) { zsock_resolve (self->job), 0, ZMQ_POLLIN, 0 };
    else
        self->finished = self->started;
}

static void
s_end (s_backup_t *self, bool good, const char *text)
{
    int64_t now_ms = stele_clock_steady_ms ();
    zactor_destroy (&self->job);
    self->follower.watched_count = 0;
    self->finished = self->started;
    s_look (self);
    if (good) {
        stele_log_info ("backup", "backup: %s, as of position %lld, verified", text,
            (long long) self->newest.facts.position);
        *self->error = 0;
        self->failed_ms = self->retry_ms = 0;
        self->taken_ms = now_ms;
    }
    else {
        stele_log_error ("backup_failed", "backup failed, nothing was changed: %s", text);
        snprintf (self->error, sizeof self->error, "%s", text);
        self->failed_ms = self->failed_ms? self->failed_ms: now_ms;
        self->retry_ms = now_ms + RETRY_MS;
    }
}

//  Take what the job has reported
static void
s_receive (s_backup_t *self)
{
    while (self->job && (zsock_events (self->job) & ZMQ_POLLIN)) {
        char *verb = NULL, *text = NULL, *done = NULL, *total = NULL;
        zstr_recvx (self->job, &verb, &text, &done, &total, NULL);
        if (verb && streq (verb, "AT") && text && done && total) {
            snprintf (self->state, sizeof self->state, "%s", text);
            self->done = strtoll (done, NULL, 10);
            self->total = strtoll (total, NULL, 10);
        }
        else
            s_end (self, verb && streq (verb, "DONE"), text? text: "the job ended");
        zstr_free (&verb);
        zstr_free (&text);
        zstr_free (&done);
        zstr_free (&total);
    }
}

//  Is the snapshot of the day due? If the time of the newest one is ahead of the clock, one of both is wrong:
//  then a day counts by the steady clock.
static bool
s_due (const s_backup_t *self)
{
    int64_t now_us = stele_clock_us (), now_ms = stele_clock_steady_ms ();
    if (now_ms < self->retry_ms || self->follower.head == 0)
        return false;
    if (self->newest.time_us > now_us)
        return self->taken_ms == 0 || now_ms - self->taken_ms >= DAY_MS;
    return self->newest.time_us < now_us - (now_us - self->at_us) % DAY_US;
}

static int
s_step (void *arg)
{
    s_backup_t *self = arg;
    s_receive (self);
    if (!self->job && (self->wanted || s_due (self)))
        s_start (self);
    return IDLE_MS;
}

//  -- requests ----------------------------------------------------------------------------

static void
s_pack_state (s_backup_t *self, stele_pack_t *pack)
{
    stele_pack_key_string (pack, "repository", self->follower.settings->backup);
    stele_pack_key_string (pack, "state", self->job? self->state: "idle");
    if (self->job) {
        stele_pack_key_integer (pack, "done_bytes", self->done);
        stele_pack_key_integer (pack, "total_bytes", self->total);
    }
    stele_pack_key_integer (pack, "snapshots", self->snapshots);
    stele_pack_key_integer (pack, "snapshot_bytes", self->bytes);
    if (*self->newest.name) {
        stele_pack_key_string (pack, "snapshot", self->newest.name);
        stele_pack_key_integer (pack, "snapshot_position", self->newest.facts.position);
        stele_pack_key_integer (pack, "snapshot_time", self->newest.time_us);
        stele_pack_key_integer (pack, "verified_at", self->newest.verified_us);
        stele_pack_key_integer (pack, "age_s", (stele_clock_us () - self->newest.time_us) / 1000000);
    }
    if (*self->error) {
        stele_pack_key_string (pack, "last_error", self->error);
        stele_pack_key_integer (pack, "failing_ms", stele_clock_steady_ms () - self->failed_ms);
    }
}

static void
s_pack_stats (s_backup_t *self)
{
    stele_pack_t *pack = self->follower.pack;
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    s_pack_state (self, pack);
    stele_pack_map_end (pack);
}

static void
s_pack_entry (const stele_snapshot_entry_t *entry, stele_pack_t *pack)
{
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "snapshot", entry->name);
    stele_pack_key_integer (pack, "snapshot_position", entry->facts.position);
    if (entry->time_us) {
        stele_pack_key_integer (pack, "time", entry->time_us);
        stele_pack_key_integer (pack, "age_s", (stele_clock_us () - entry->time_us) / 1000000);
        stele_pack_key_integer (pack, "verified_at", entry->verified_us);
        stele_pack_key_integer (pack, "bytes", entry->file_bytes);
    }
    stele_pack_key_bool (pack, "sound", entry->sound);
    if (!entry->sound)
        stele_pack_key_string (pack, "fault", entry->fault);
    stele_pack_map_end (pack);
}

//  The newest snapshots first, and up to where the segments have no gap, as their trailers say
static int
s_pack_list (s_backup_t *self, stele_pack_t *pack, stele_refusal_t *refusal)
{
    const char *path = self->follower.settings->backup;
    char broken [48] = "";
    stele_snapshot_entry_t *entries = NULL;
    stele_repository_t *repository = stele_repository_open (path, refusal);
    //  Nothing was written yet, or the folder is gone, which the statistics of the segments show
    bool is_empty = !repository && refusal->code == STELE_ENOT_FOUND;
    int64_t last = is_empty? 0: repository? stele_repository_last (repository, 0, broken, refusal): refusal->code;
    stele_repository_close (&repository);
    int64_t count = last < 0? last: is_empty? 0: stele_snapshots_list (path, &entries, refusal);
    if (count < 0)
        return refusal->code;
    int64_t oldest = count > LIST_MAX? count - LIST_MAX: 0;
    stele_pack_key (pack, "entries");
    stele_pack_array (pack, (size_t) (count - oldest));
    for (int64_t i = count - 1; i >= oldest; i--)
        s_pack_entry (&entries [i], pack);
    stele_pack_key (pack, "segments");
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "last", last);
    if (*broken)
        stele_pack_key_string (pack, "broken", broken);
    stele_pack_map_end (pack);
    free (entries);
    return 0;
}

//  A job that runs may have begun before what the client wants to have in it: start another one after it
static int
s_run (s_backup_t *self, stele_operation_id_t id, stele_params_t *params)
{
    if (id != STELE_OPERATION_BACKUP && id != STELE_OPERATION_BACKUP_LIST)
        return stele_params_fail (params, STELE_EUNKNOWN_OP, "op", "the backup has no such operation");
    if (stele_operation_check_scope (&stele_operations [id], params))
        return params->refusal.code;
    bool start = id == STELE_OPERATION_BACKUP && stele_params_bool (params, "start", false);
    if (params->refusal.code)
        return params->refusal.code;
    if (start && self->job)
        self->wanted = true;
    else
    if (start)
        s_start (self);
    return 0;
}

static void
s_answer (s_backup_t *self, stele_operation_id_t id, const stele_identity_t *key, const void *data, size_t size)
{
    stele_pack_t *pack = self->follower.pack;
    stele_params_t params;
    stele_delegate_t delegate;
    stele_params_start (&params, data, size);
    params.identity = stele_delegate_identity (&delegate, key, data, size, &params.refusal);
    if (!params.identity || s_run (self, id, &params)) {
        stele_pack_clear (pack);
        stele_answer_refuse (pack, &params.refusal, NULL, 0);
        return;
    }
    stele_pack_clear (pack);
    stele_answer_begin (pack, stele_reader_head (self->follower.reader));
    s_pack_state (self, pack);
    if (id == STELE_OPERATION_BACKUP_LIST && s_pack_list (self, pack, &params.refusal)) {
        stele_pack_clear (pack);
        stele_answer_refuse (pack, &params.refusal, NULL, 0);
        return;
    }
    if (id == STELE_OPERATION_BACKUP) {
        stele_pack_key_integer (pack, "number", self->started + self->wanted);
        stele_pack_key_integer (pack, "finished", self->finished);
    }
    stele_pack_map_end (pack);
}

static void
s_answer_mailbox (void *arg)
{
    s_backup_t *self = arg;
    zmsg_t *request;
    s_receive (self);
    while ((request = stele_follower_request (&self->follower))) {
        zmsg_first (request);
        zmsg_next (request);
        zframe_t *body = zmsg_next (request);
        const stele_identity_t *key = stele_identity_of_frame (zmsg_next (request));
        const void *data = zframe_data (body);
        size_t size = zframe_size (body);
        stele_operation_id_t id = stele_operation_id (data, size);
        if (id == STELE_OPERATION_STATS)
            s_pack_stats (self);
        else
            s_answer (self, id, key, data, size);
        stele_follower_answer (&self->follower, &request);
    }
}

//  -- the actor ---------------------------------------------------------------------------

static int
s_open (void *arg, stele_refusal_t *refusal)
{
    s_backup_t *self = arg;
    (void) refusal;
    int hours = 0, minutes = 0;
    sscanf (self->follower.settings->backup_at, "%2d:%2d", &hours, &minutes);
    self->at_us = (hours * 60 + minutes) * (int64_t) 60000000;
    self->follower.ignore_heads = true;
    self->job_args = (stele_snapshot_job_args_t) {
        self->follower.settings, stele_reader_ledger_id (self->follower.reader)
    };
    s_look (self);
    return 0;
}

static void
s_close (void *arg)
{
    s_backup_t *self = arg;
    zactor_destroy (&self->job);
}

void
stele_snapshot_follower (zsock_t *pipe, void *args)
{
    static const stele_follower_class_t class = {
        .name = NAME, .open = s_open, .step = s_step, .answer_mailbox = s_answer_mailbox, .close = s_close
    };
    s_backup_t self = { .job = NULL };
    stele_follower_run (&self.follower, &class, pipe, args);
}
