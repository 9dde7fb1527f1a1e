/*  segment_follower - the follower that writes the log into the repository of backups (repository/repository.h)

    Its cursor is the repository: a start continues after the last position there. It reads the log in portions, a
    few times per second, and replaces the open end every 'backup-lag' seconds, with what events do not say (producers,
    refused events, ...) as of the head. A repository that cannot be written is logged, reported in stats, and tried
    again; nothing waits for it, no ack above all.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "broker/common/log.h"
#include "broker/followers/follower.h"
#include "repository/segment_writer.h"
#include "wire/event/event_codec.h"

#define NAME "segments"
#define NICE 5
#define TICK_MS 250
#define RETRY_MS 2000
#define PORTION_EVENTS 2000
#define CATCHING_UP 50000           // Events behind the head: it does not rest
//  Text that is not durable yet: write the open end early
#define FLUSH_BYTES (8 * 1024 * 1024)
#define FLUSH_MS_MIN 1000
//  Text of states that is added before the next write
#define STATE_BYTES (32 * 1024 * 1024)

typedef struct { int64_t first, last, time_us; } s_commit_t;

typedef struct {
    stele_follower_t follower;
    stele_repository_t *repository;
    stele_segment_writer_t *writer;     // NULL: the repository could not be opened
    stele_pack_t *owner;
    s_commit_t *commits;                // That end in the portion or after it, in order
    size_t commit_count, commit_room, commit_next;
    int64_t version;                    // Of the ledger, when its states were added last; -1: never, or not all
    bool retried;                       // A retry may have accepted refused events
    stele_line_kind_t kind;             // Of the rows of the state table that is being read
    int64_t next_ms;                    // Steady clock: next portion
    int64_t flushed_ms;                 // Last write of the open end
    int64_t mark, mark_ms;              // A head that is not durable yet, and when it was read
    int64_t durable_ms;                 // What was committed up to then is durable
    bool failing;
    int64_t failing_since_ms;
    stele_refusal_t refusal;            // Reason of the last failure
} s_segments_t;

static int64_t
s_durable (const s_segments_t *self)
{
    return self->writer? stele_segment_writer_durable (self->writer): 0;
}

static void
s_pack_stats (void *arg)
{
    s_segments_t *self = arg;
    stele_pack_t *pack = self->follower.pack;
    int64_t now_ms = stele_clock_steady_ms (), lag = self->follower.head - s_durable (self);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "path", self->follower.settings->backup);
    stele_pack_key_integer (pack, "position", s_durable (self));
    stele_pack_key_integer (pack, "lag_events", lag > 0? lag: 0);
    stele_pack_key_integer (pack, "lag_ms", lag > 0? now_ms - self->durable_ms: 0);
    stele_pack_key_string (pack, "state", self->failing? "failing": "live");
    if (self->failing) {
        stele_pack_key_integer (pack, "state_ms", now_ms - self->failing_since_ms);
        stele_pack_key_string (pack, "error", self->refusal.message);
    }
    stele_pack_map_end (pack);
}

static void
s_note (s_segments_t *self, bool failing)
{
    if (failing && !self->failing) {
        self->failing_since_ms = stele_clock_steady_ms ();
        stele_log_error ("backup", "events are not backed up, retrying: %s", self->refusal.message);
    }
    if (!failing && self->failing)
        stele_log_info ("backup", "events are backed up again");
    self->failing = failing;
}

//  -- open ---------------------------------------------------------------------------

//  Is the end of the repository a part of this ledger's history?
static int
s_compare (s_segments_t *self)
{
    int64_t time_us, last = stele_segment_writer_next (self->writer) - 1, head = stele_reader_head (self->follower.reader);
    int64_t committed = stele_segment_writer_committed (self->writer, &time_us);
    if (head >= 0 && last > head)
        return stele_refuse (&self->refusal, STELE_EBEHIND, "backup", "%s has positions up to %" PRId64
            ", but the ledger ends at %" PRId64 ": it is shorter than its backup; restore it from there, or name an empty folder",
            self->follower.settings->backup, last, head);
    int64_t recorded_us = committed? stele_reader_commit_recorded (self->follower.reader, committed): time_us;
    if (head < 0 || recorded_us < 0)
        return stele_refuse (&self->refusal, STELE_EIO, "ledger", "%s", stele_reader_error (self->follower.reader));
    return recorded_us == time_us? 0: stele_refuse (&self->refusal, STELE_ELEDGER, "backup",
        "%s has another history of this ledger, up to position %" PRId64 ": name an empty folder",
        self->follower.settings->backup, last);
}

static void
s_close_repository (s_segments_t *self)
{
    stele_segment_writer_destroy (&self->writer);
    stele_repository_close (&self->repository);
}

static int
s_open_repository (s_segments_t *self)
{
    const char *path = self->follower.settings->backup, *damaged = NULL;
    self->repository = stele_repository_create (path, stele_reader_ledger_id (self->follower.reader), &self->refusal);
    if (self->repository)
        self->writer = stele_segment_writer_new (self->repository, &damaged, &self->refusal);
    if (!self->writer || s_compare (self)) {
        s_close_repository (self);
        return self->refusal.code;
    }
    if (damaged)
        stele_log_warning ("backup", "%s: %s is damaged; it is written again from the ledger", path, damaged);
    stele_log_info ("backup", "backing up into %s, from position %" PRId64, path, stele_segment_writer_next (self->writer));
    self->version = -1;
    self->retried = true;
    return 0;
}

//  -- events and commits ----------------------------------------------------------------

static int
s_take_commit (int64_t first, int64_t last, int64_t time_us, void *arg)
{
    s_segments_t *self = arg;
    self->commits = stele_array_must_grow (self->commits, &self->commit_room, self->commit_count + 1, sizeof *self->commits);
    self->commits [self->commit_count++] = (s_commit_t) { first, last, time_us };
    return 0;
}

//  The producer to whom the task of the event belongs from now on, packed. Returns 1, 0: as before, or an error of the reader
static int
s_pack_owner (s_segments_t *self, int64_t position)
{
    const char *name;
    size_t size;
    int rc = stele_reader_event_owner (self->follower.reader, &name, &size);
    if (rc != 1)
        return rc;
    stele_pack_clear (self->owner);
    stele_pack_map_begin (self->owner);
    stele_pack_key_integer (self->owner, "position", position);
    stele_pack_key (self->owner, "producer");
    if (name)
        stele_pack_text (self->owner, name, size);
    else
        stele_pack_nil (self->owner);
    stele_pack_map_end (self->owner);
    return 1;
}

static int
s_take_event (const stele_record_t *row, void *arg)
{
    s_segments_t *self = arg;
    int64_t position = row->values [STELE_POSITION].integer;
    int owned = s_pack_owner (self, position);
    if (owned < 0)
        return owned;
    stele_pack_clear (self->follower.pack);
    stele_record_pack (row, self->follower.pack);
    int code = stele_segment_writer_event (self->writer, stele_pack_data (self->follower.pack),
        stele_pack_size (self->follower.pack), owned? stele_pack_data (self->owner): NULL,
        owned? stele_pack_size (self->owner): 0, &self->refusal);
    if (code)
        return code;
    const stele_value_t *operation = &row->values [STELE_OPERATION];
    if (row->type == STELE_AUDIT_RECORDED && operation->size == 14 && memcmp (operation->text, "rejected.retry", 14) == 0)
        self->retried = true;
    if (self->commit_next < self->commit_count && self->commits [self->commit_next].last == position) {
        const s_commit_t *commit = &self->commits [self->commit_next++];
        stele_segment_writer_commit (self->writer, commit->first, commit->last, commit->time_us);
    }
    return 0;
}

//  Take a portion of the log. Returns 0, or a code: of the reader, or of the repository with self->refusal.
static int
s_take_portion (s_segments_t *self)
{
    int64_t next = stele_segment_writer_next (self->writer);
    self->commit_count = self->commit_next = 0;
    int code = stele_reader_commits (self->follower.reader, next, PORTION_EVENTS + 1, s_take_commit, self);
    return code? code: stele_reader_events (self->follower.reader, next - 1, PORTION_EVENTS, 0, s_take_event, self);
}

//  -- states ---------------------------------------------------------------------------

static int
s_take_state (const stele_state_row_t *row, void *arg)
{
    s_segments_t *self = arg;
    stele_segment_writer_t *writer = self->writer;
    bool producer = self->kind == STELE_LINE_PRODUCER;
    //  Names of anonymous producers are many, and do not return: those that were gone before are in the repository
    if (producer && row->gone && row->number <= stele_segment_writer_producers (writer)
    && !stele_segment_writer_knows (writer, self->kind, row->key, row->key_size))
        return 0;
    stele_segment_writer_state (writer, self->kind, row->key, row->key_size, row->packed, row->size);
    if ((producer && row->gone) || self->kind == STELE_LINE_REJECTED)
        stele_segment_writer_forget (writer, self->kind, row->key, row->key_size);
    stele_segment_writer_note (writer, producer? row->number: 0, self->kind == STELE_LINE_REJECTED? row->number: 0);
    return stele_segment_writer_unwritten (writer) > STATE_BYTES;
}

//  Add what has changed besides events, as of the head. Producers come first, since others name them.
static int
s_take_states (s_segments_t *self)
{
    static const struct { stele_state_table_t table; stele_line_kind_t kind; } tables [] = {
        { STELE_STATE_PRODUCERS, STELE_LINE_PRODUCER }, { STELE_STATE_FENCES, STELE_LINE_FENCE },
        { STELE_STATE_REJECTED, STELE_LINE_REJECTED }, { STELE_STATE_RETRIED, STELE_LINE_RETRIED },
        { STELE_STATE_FOLLOWERS, STELE_LINE_FOLLOWER }, { STELE_STATE_LOSSES, STELE_LINE_LOSS },
        { STELE_STATE_NOTES, STELE_LINE_META }
    };
    int code = 0;
    for (size_t i = 0; i < sizeof tables / sizeof tables [0] && code == 0; i++) {
        bool rejected = tables [i].table == STELE_STATE_REJECTED;
        if (tables [i].table == STELE_STATE_RETRIED && !self->retried)
            continue;
        self->kind = tables [i].kind;
        code = stele_reader_state (self->follower.reader, tables [i].table,
            rejected? stele_segment_writer_rejected (self->writer): 0, INT64_MAX, s_take_state, self);
    }
    return code;
}

//  -- the loop -------------------------------------------------------------------------

static bool
s_at_head (const s_segments_t *self)
{
    return stele_segment_writer_next (self->writer) > self->follower.head;
}

static bool
s_is_due (const s_segments_t *self, int64_t version)
{
    int64_t passed_ms = stele_clock_steady_ms () - self->flushed_ms;
    int64_t unwritten = stele_segment_writer_unwritten (self->writer);
    if (unwritten == 0 && version == self->version)
        return false;
    return passed_ms >= self->follower.settings->backup_lag_s * 1000 || (unwritten >= FLUSH_BYTES && passed_ms >= FLUSH_MS_MIN);
}

//  Note how old the durable end is, where the head was read then
static void
s_note_durable (s_segments_t *self, int64_t read_ms)
{
    if (s_durable (self) >= self->mark) {
        self->durable_ms = self->mark_ms;
        self->mark = self->follower.head;
        self->mark_ms = read_ms;
    }
    if (s_durable (self) >= self->mark)
        self->durable_ms = self->mark_ms;
}

//  Read under one state of the ledger: a portion of events, and at the head the states that belong to it
static int
s_read (s_segments_t *self, bool now)
{
    int64_t version = stele_reader_version (self->follower.reader);
    int code = version < 0? (int) version: stele_reader_begin (self->follower.reader);
    if (code)
        return code;
    int64_t head = stele_reader_head (self->follower.reader), read_ms = stele_clock_steady_ms ();
    if (head > self->follower.head)
        self->follower.head = head;
    code = head < 0? (int) head: s_take_portion (self);
    bool flush = code == 0 && s_at_head (self) && (now || s_is_due (self, version));
    if (flush && version != self->version) {
        code = s_take_states (self);
        bool all = stele_segment_writer_unwritten (self->writer) <= STATE_BYTES;
        self->version = code == 0 && all? version: -1;
        self->retried = self->retried && !(code == 0 && all);
    }
    stele_reader_end (self->follower.reader);
    //  The disk of the repository may hang: not before the state of the ledger is released
    int64_t durable = s_durable (self);
    if (code == 0)
        code = stele_segment_writer_complete (self->writer, &self->refusal);
    if (s_durable (self) > durable)             // A segment is complete
        self->flushed_ms = stele_clock_steady_ms ();
    if (code == 0 && flush) {
        code = stele_segment_writer_flush (self->writer, &self->refusal);
        self->flushed_ms = code? self->flushed_ms: stele_clock_steady_ms ();
    }
    s_note_durable (self, read_ms);
    return code;
}

//  Follow the log. With 'now', make what was taken durable. Returns 0 or a code.
static int
s_follow (s_segments_t *self, bool now)
{
    self->refusal = (stele_refusal_t) { 0 };
    int code = self->writer? 0: s_open_repository (self);
    if (code == 0)
        code = s_read (self, now);
    if (code && self->refusal.code == 0)
        stele_refuse (&self->refusal, code, "ledger", "cannot read the ledger: %s", stele_reader_error (self->follower.reader));
    s_note (self, code != 0);
    return code;
}

//  After a portion that was begun then. The end of the log has to be durable in time: no rest in the second half of backup-lag,
//  nor far behind, since each segment that is complete begins that time again.
static int64_t
s_rest_ms (const s_segments_t *self, int64_t begun_ms)
{
    bool early = begun_ms - self->flushed_ms < self->follower.settings->backup_lag_s * 500;
    bool near = self->follower.head - stele_segment_writer_next (self->writer) < CATCHING_UP;
    return early && near? stele_follower_rest_ms (&self->follower, begun_ms): 0;
}

static int
s_step (void *arg)
{
    s_segments_t *self = arg;
    int64_t now_ms = stele_clock_steady_ms ();
    if (now_ms >= self->next_ms) {
        stele_follower_sample (&self->follower, now_ms);
        int code = s_follow (self, false);
        self->next_ms = stele_clock_steady_ms () + (code? RETRY_MS: s_at_head (self)? TICK_MS: s_rest_ms (self, now_ms));
    }
    now_ms = stele_clock_steady_ms ();
    return self->next_ms > now_ms? (int) (self->next_ms - now_ms): 0;
}

//  A stop makes the end of the log durable, unless the repository cannot be written
static bool
s_drained (void *arg)
{
    s_segments_t *self = arg;
    return s_follow (self, true) != 0 || (s_at_head (self) && stele_segment_writer_unwritten (self->writer) == 0);
}

static int
s_open (void *arg, stele_refusal_t *refusal)
{
    s_segments_t *self = arg;
    (void) refusal;
    stele_thread_nice (NICE);
    self->follower.ignore_heads = true;
    self->owner = stele_pack_new ();
    assert (self->owner);
    self->flushed_ms = self->durable_ms = self->mark_ms = stele_clock_steady_ms ();
    return 0;
}

static void
s_close (void *arg)
{
    s_segments_t *self = arg;
    s_close_repository (self);
    stele_pack_destroy (&self->owner);
    free (self->commits);
}

void
stele_segment_follower (zsock_t *pipe, void *args)
{
    static const stele_follower_class_t class = {
        .name = NAME, .open = s_open, .step = s_step, .pack_stats = s_pack_stats, .drained = s_drained, .close = s_close
    };
    s_segments_t self = { .version = -1 };
    stele_follower_run (&self.follower, &class, pipe, args);
}
