/*  snapshot_job - one backup: copy the ledger and its archives, compress the copies, restore and verify them, and only then
    let it count

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/thread.h"
#include "base/tsan.h"
#include "broker/common/log.h"
#include "broker/followers/snapshot_job.h"
#include "fault/fault.h"
#include "ledger/erase.h"
#include "ledger/reader.h"
#include "ledger/snapshot.h"
#include "repository/packed_file.h"
#include "repository/repository.h"
#include "repository/snapshots.h"

//  Not lower while the state is held: on a busy machine the write-ahead log would grow for long
#define NICE_COPY   5
#define NICE        10
#define PAGES       64              // Per portion of the copy
#define PAUSE_US    1500            // After it
#define REST        2               // Of the other steps: so many times as long as a portion takes,
#define REST_US_MAX 50000           //    at most that
#define LOG_FACTOR  4               // Give up a copy if the log is longer than so many times wal-bytes,
#define TRIES       3               //    and begin again, at most so often
#define LOG_SHORT(bytes) ((bytes) / 4)      // A copy begins when the log is not longer; it restarts at that size, or later
#define LOG_WANTED(bytes) ((bytes) / 4 * 3) // It should not be longer when the copy ends
#define AWAIT_MS    30000           // For a short log, at most
#define AWAIT_STEP_MS 20
#define AWAIT_IDLE_MS 300           // Without a commit no log becomes longer
#define CREATE_MS   5000
#define REPORT_US   100000          // Between two reports

typedef struct {
    zsock_t *pipe;
    const stele_settings_t *settings;
    const char *ledger_id;
    stele_snapshot_entry_t entry;
    const char *state;
    int64_t total, reported_us;
    int64_t rested_us;              // When it last did
    bool stopped;
    bool too_slow;                  // The last copy of the ledger was given up because of its log
    stele_refusal_t refusal;
    char *copy, *packed, *scratch, *final;  // Files: the copy, compressed, expanded again; the name that counts
    stele_snapshot_entry_t newest;  // The snapshot before; its copies of archives are used again
} s_job_t;

//  -- reports and the end -------------------------------------------------------------------

static void
s_report (s_job_t *self, int64_t done)
{
    int64_t now_us = stele_clock_steady_us ();
    if (now_us - self->reported_us < REPORT_US)
        return;
    self->reported_us = now_us;
    char done_text [24], total_text [24];
    snprintf (done_text, sizeof done_text, "%" PRId64, done);
    snprintf (total_text, sizeof total_text, "%" PRId64, self->total);
    zstr_sendx (self->pipe, "AT", self->state, done_text, total_text, NULL);
}

static void
s_enter (s_job_t *self, const char *state, int64_t total)
{
    self->state = state;
    self->total = total;
    self->reported_us = 0;
    self->rested_us = stele_clock_steady_us ();
    s_report (self, 0);
}

//  The only message that comes is $TERM
static bool
s_stopped (s_job_t *self)
{
    if (!self->stopped && (zsock_events (self->pipe) & ZMQ_POLLIN)) {
        char *command = zstr_recv (self->pipe);
        zstr_free (&command);
        self->stopped = true;
    }
    return self->stopped;
}

//  Several times as long as the last portion took: the disk and the processor are those of the writer, too
static void
s_rest (s_job_t *self)
{
    int64_t took_us = stele_clock_steady_us () - self->rested_us, rest_us = took_us * REST;
    usleep (rest_us > REST_US_MAX? REST_US_MAX: (useconds_t) rest_us);
    self->rested_us = stele_clock_steady_us ();
}

static bool
s_on_portion (int64_t bytes, void *arg)
{
    s_job_t *self = arg;
    s_report (self, bytes);
    s_rest (self);
    return s_stopped (self);
}

static bool
s_on_check (void *arg)
{
    return s_stopped (arg);
}

//  -- steps -------------------------------------------------------------------------------

//  Ledgers that were restored, or copied, have the same id: is the end of the segments a part of this one's history?
static int
s_compare (s_job_t *self, const stele_repository_t *repository)
{
    int64_t time_us = 0, committed = stele_repository_committed (repository, &time_us, &self->refusal);
    if (committed <= 0)
        return (int) committed;
    stele_reader_t *reader = stele_reader_open (self->settings->ledger, &self->refusal);
    if (!reader)
        return self->refusal.code;
    int64_t recorded_us = stele_reader_commit_recorded (reader, committed);
    stele_reader_close (&reader);
    return recorded_us == time_us? 0: stele_refuse (&self->refusal, STELE_ELEDGER, "backup",
        "%s has another history of this ledger, up to position %" PRId64 ": name an empty folder",
        self->settings->backup, committed);
}

//  A repository has the history of one ledger. It may be open for the segments: that does not matter here.
static int
s_prepare (s_job_t *self)
{
    const char *path = self->settings->backup, *ledger_id = self->ledger_id;
    stele_repository_t *repository = stele_repository_open (path, &self->refusal);
    //  The follower of the segments creates it at this moment, and one of both would find it locked
    for (int ms = 0; !repository && self->refusal.code == STELE_ENOT_FOUND && ms < CREATE_MS && !s_stopped (self); ms += 50) {
        usleep (50000);
        repository = stele_repository_open (path, &self->refusal);
    }
    if (!repository && self->refusal.code == STELE_ENOT_FOUND)
        repository = stele_repository_create (path, ledger_id, &self->refusal);
    if (!repository)
        return self->refusal.code;
    int code = strcmp (stele_repository_ledger_id (repository), ledger_id) == 0? 0:
        stele_refuse (&self->refusal, STELE_ELEDGER, "backup",
            "%s has backups of ledger %s, and this is ledger %s: set 'backup' to another folder, and keep that one",
            path, stele_repository_ledger_id (repository), ledger_id);
    if (code == 0)
        code = s_compare (self, repository);
    stele_repository_close (&repository);
    return code? code: stele_snapshots_prepare (path, &self->refusal);
}

//  The repository may be on the disk of the ledger: do not fill it up, which would hold back acks
static int
s_check_room (s_job_t *self, int64_t bytes)
{
    struct statvfs disk;
    int64_t need = bytes * 2;
    if (statvfs (self->settings->backup, &disk) != 0)
        return 0;                   // The copy will report what is wrong
    int64_t left = (int64_t) disk.f_bavail * (int64_t) disk.f_frsize;
    return left >= need? 0: stele_refuse (&self->refusal, STELE_EFULL, "backup",
        "%s has %" PRId64 " bytes left; a snapshot of this ledger needs %" PRId64 " more until it is verified",
        self->settings->backup, left, need);
}

//  The log of the ledger cannot restart while it is copied. So the copy rests after each portion only if it is ahead of the log.
static bool
s_is_ahead (const s_job_t *self, int64_t copied, int64_t log)
{
    return (double) log * (double) self->total <= (double) copied * (double) LOG_WANTED (self->settings->wal_bytes);
}

//  Copy in small portions. Of the ledger, not of an archive: give up when its log is too long.
static int
s_copy_pages (s_job_t *self, stele_snapshot_t *snapshot, bool ledger)
{
    int64_t begun = stele_snapshot_log_bytes (self->settings->ledger);
    int rc = 1;
    while (rc == 1 && (rc = stele_snapshot_step (snapshot, PAGES, &self->refusal)) == 1) {
        int64_t copied = stele_snapshot_copied (snapshot);
        int64_t log = ledger? stele_snapshot_log_bytes (self->settings->ledger): 0;
        //  Without commits, it has that length until it restarts
        self->too_slow = log > begun && log > LOG_FACTOR * self->settings->wal_bytes;
        if (self->too_slow)
            return stele_refuse (&self->refusal, STELE_EBUSY, "backup", "given up after %" PRId64 " of %" PRId64 " bytes: the "
                "write-ahead log has %" PRId64 " bytes, and cannot restart while the ledger is copied: the disk of the backup is too "
                "slow for the events that arrive, or another program reads the ledger", copied, self->total, log);
        if (s_stopped (self))
            return stele_refuse (&self->refusal, STELE_ETIMEOUT, "backup", "stopped");
        s_report (self, copied);
        if (s_is_ahead (self, copied, log))
            usleep (PAUSE_US);
    }
    return rc;
}

//  Begin when the log has restarted, if it soon does: the copy has the more time
static void
s_await_short_log (s_job_t *self)
{
    int64_t before = -1, idle_ms = 0;
    for (int ms = 0; ms < AWAIT_MS && idle_ms < AWAIT_IDLE_MS && !s_stopped (self); ms += AWAIT_STEP_MS) {
        int64_t log = stele_snapshot_log_bytes (self->settings->ledger);
        if (log <= LOG_SHORT (self->settings->wal_bytes))
            break;
        idle_ms = log == before? idle_ms + AWAIT_STEP_MS: 0;
        before = log;
        usleep (AWAIT_STEP_MS * 1000);
    }
}

static int
s_copy_once (s_job_t *self)
{
    self->too_slow = false;
    s_await_short_log (self);
    self->entry.time_us = stele_clock_us ();
    stele_snapshot_t *snapshot = stele_snapshot_new (self->settings->ledger, self->copy, &self->refusal);
    if (!snapshot)
        return self->refusal.code;
    stele_snapshot_entry_t *entry = &self->entry;
    entry->facts = *stele_snapshot_facts (snapshot);
    stele_snapshots_name (entry->facts.position, entry->time_us, entry->name);
    s_enter (self, "copying", entry->facts.bytes);
    int code = s_check_room (self, entry->facts.bytes);
    if (code == 0)
        code = s_copy_pages (self, snapshot, true);
    stele_snapshot_destroy (&snapshot);
    return code;
}

static int
s_copy (s_job_t *self)
{
    char part [64];
    snprintf (part, sizeof part, "copy-%s.part", self->settings->instance);
    self->copy = stele_snapshots_path (self->settings->backup, "0", part);
    int code = s_copy_once (self);
    for (int tries = 1; code && self->too_slow && tries < TRIES; tries++) {
        stele_log_warning ("backup", "backup: begins again: %s", self->refusal.message);
        code = s_copy_once (self);
    }
    STELE_FAULT (snapshot_copied);
    return code;
}

static int
s_compress (s_job_t *self)
{
    self->packed = stele_snapshots_path (self->settings->backup, self->entry.name, "db.zst.part");
    s_enter (self, "compressing", self->entry.facts.bytes);
    self->entry.file_bytes = stele_packed_file_compress (self->copy, self->packed, s_on_portion, self, &self->refusal);
    unlink (self->copy);
    STELE_FAULT (snapshot_compressed);
    return self->entry.file_bytes < 0? (int) self->entry.file_bytes: 0;
}

//  Restore the compressed file, and compare it with what the ledger had
static int
s_verify (s_job_t *self)
{
    stele_snapshot_facts_t facts;
    const stele_snapshot_facts_t *wanted = &self->entry.facts;
    self->scratch = stele_snapshots_path (self->settings->backup, self->entry.name, "check.part");
    s_enter (self, "restoring", self->entry.file_bytes);
    int64_t bytes = stele_packed_file_expand (self->packed, self->scratch, s_on_portion, self, &self->refusal);
    if (bytes < 0)
        return (int) bytes;
    s_enter (self, "verifying", bytes);
    int code = stele_snapshot_verify (self->scratch, s_on_check, self, &facts, &self->refusal);
    if (code)
        return code;
    if (facts.position != wanted->position || facts.rejected != wanted->rejected || facts.schema != wanted->schema
    ||  facts.producers != wanted->producers || facts.bytes != wanted->bytes
    ||  strcmp (facts.ledger_id, wanted->ledger_id) != 0)
        return stele_refuse (&self->refusal, STELE_ELEDGER, "backup",
            "the restored copy ends at position %" PRId64 ", the ledger had %" PRId64 ": the disk of the backup, or the "
            "memory of this machine, is faulty", facts.position, wanted->position);
    STELE_FAULT (snapshot_verified);
    return 0;
}

//  -- archives ------------------------------------------------------------------------------

//  What the snapshot before has of archives
static int
s_find_newest (s_job_t *self)
{
    stele_snapshot_entry_t *entries = NULL;
    int64_t count = stele_snapshots_list (self->settings->backup, &entries, &self->refusal);
    for (int64_t i = 0; i < count; i++)
        if (entries [i].sound)
            self->newest = entries [i];
    free (entries);
    return count < 0? (int) count: 0;
}

//  Copy, compress, expand and verify, as the ledger
static int
s_take_archive (s_job_t *self, stele_archive_copy_t *copy, const char *raw, const char *packed, const char *scratch)
{
    stele_snapshot_t *snapshot = stele_snapshot_new_archive (self->settings->ledger, copy->archive.year,
        copy->archive.archive_id, raw, &self->refusal);
    if (!snapshot)
        return self->refusal.code;
    copy->db_bytes = stele_snapshot_facts (snapshot)->bytes;
    s_enter (self, "copying", copy->db_bytes);
    int code = s_check_room (self, copy->db_bytes);
    if (code == 0)
        code = s_copy_pages (self, snapshot, false);
    stele_snapshot_destroy (&snapshot);
    if (code)
        return code;
    s_enter (self, "compressing", copy->db_bytes);
    copy->file_bytes = stele_packed_file_compress (raw, packed, s_on_portion, self, &self->refusal);
    unlink (raw);
    if (copy->file_bytes < 0)
        return (int) copy->file_bytes;
    s_enter (self, "restoring", copy->file_bytes);
    int64_t bytes = stele_packed_file_expand (packed, scratch, s_on_portion, self, &self->refusal);
    if (bytes < 0)
        return (int) bytes;
    s_enter (self, "verifying", bytes);
    return stele_snapshot_verify_archive (scratch, self->scratch, &copy->archive, s_on_check, self, &self->refusal);
}

//  Its name makes it durable; until a snapshot names it, the next backup removes it
static int
s_name_archive (s_job_t *self, stele_archive_copy_t *copy, const char *packed)
{
    char reason [400];
    char *final = stele_archive_copy_path (copy, self->settings->backup, "");
    int code = stele_archive_copy_hash (packed, copy->sha256, s_on_portion, self, &self->refusal);
    if (code == 0 && (rename (packed, final) != 0 || stele_file_sync_folder (final) != 0)) {
        stele_file_reason (final, errno, reason, sizeof reason);
        code = stele_refuse (&self->refusal, STELE_EIO, "backup", "%s", reason);
    }
    free (final);
    STELE_FAULT (snapshot_archived);
    return code;
}

//  Use the copy of the snapshot before, if the archive has not changed since, and the copy is whole
static bool
s_use_again (s_job_t *self, stele_archive_copy_t *copy)
{
    char sha256 [65];
    const stele_archive_copy_t *before = stele_archive_copies_find (&self->newest.archives, copy->archive.year);
    if (!before || !*copy->state || strcmp (before->state, copy->state) != 0
    ||  strcmp (before->archive.archive_id, copy->archive.archive_id) != 0)
        return false;
    char *file = stele_archive_copy_path (before, self->settings->backup, "");
    bool whole = stele_archive_copy_hash (file, sha256, s_on_portion, self, &self->refusal) == 0 && strcmp (sha256, before->sha256) == 0;
    free (file);
    if (!whole)
        return false;
    stele_snapshot_archive_t archive = copy->archive;
    *copy = *before;
    copy->archive = archive;
    return true;
}

static int
s_copy_archive (s_job_t *self, stele_archive_copy_t *copy)
{
    //  Before it is copied: what is written meanwhile makes it differ
    stele_snapshot_archive_state (self->settings->ledger, copy->archive.year, copy->state);
    if (s_use_again (self, copy))
        return 0;
    if (s_stopped (self))
        return stele_refuse (&self->refusal, STELE_ETIMEOUT, "backup", "stopped");
    stele_archive_copy_name (copy, self->entry.time_us);
    char *files [] = {
        stele_archive_copy_path (copy, self->settings->backup, ".copy.part"),
        stele_archive_copy_path (copy, self->settings->backup, ".part"),
        stele_archive_copy_path (copy, self->settings->backup, ".check.part")
    };
    int code = s_take_archive (self, copy, files [0], files [1], files [2]);
    if (code == 0)
        code = s_name_archive (self, copy, files [1]);
    for (size_t i = 0; i < sizeof files / sizeof files [0]; i++) {
        unlink (files [i]);
        free (files [i]);
    }
    return code;
}

//  Those that the copy of the ledger names. A task moves to an archive before the ledger says that it is there, so
//  each copy, which is later, has all that it names.
static int
s_copy_archives (s_job_t *self)
{
    stele_snapshot_archive_t named [STELE_SNAPSHOT_ARCHIVES];
    stele_archive_copies_t *copies = &self->entry.archives;
    int count = stele_snapshot_archives (self->scratch, named, &self->refusal);
    int code = count < 0? count: count > 0? s_find_newest (self): 0;
    for (copies->count = 0; copies->count < count && code == 0; copies->count += code == 0) {
        copies->items [copies->count].archive = named [copies->count];
        code = s_copy_archive (self, &copies->items [copies->count]);
    }
    return code;
}

//  -- the end -------------------------------------------------------------------------------

static int
s_publish (s_job_t *self)
{
    char reason [400];
    self->entry.verified_us = stele_clock_us ();
    self->final = stele_snapshots_path (self->settings->backup, self->entry.name, "db.zst");
    if (rename (self->packed, self->final) != 0) {
        stele_file_reason (self->final, errno, reason, sizeof reason);
        return stele_refuse (&self->refusal, STELE_EIO, "backup", "%s", reason);
    }
    STELE_FAULT (snapshot_renamed);
    //  Syncs the folder, with both names
    int code = stele_snapshots_publish (self->settings->backup, &self->entry, &self->refusal);
    if (code)
        unlink (self->final);
    return code;
}

//  Remove the snapshots that are not to be kept. A failure is only logged: the new one counts.
static void
s_prune (s_job_t *self)
{
    const stele_settings_t *settings = self->settings;
    const stele_retention_t retention = {
        .daily = settings->backup_daily, .weekly = settings->backup_weekly, .monthly = settings->backup_monthly
    };
    stele_snapshot_entry_t *entries = NULL;
    int64_t count = stele_snapshots_list (settings->backup, &entries, &self->refusal);
    int code = count < 0? (int) count: 0;
    bool *remove = stele_memory_new ((size_t) (count > 0? count: 1));
    if (code == 0 && stele_retention_choose (&retention, entries, (size_t) count, remove))
        for (int64_t i = 0; i < count && code == 0; i++)
            if (remove [i]) {
                code = stele_snapshots_remove (settings->backup, &entries [i], &self->refusal);
                if (code == 0)
                    stele_log_info ("backup_removed", "removed the snapshot %s: newer ones are kept instead",
                        entries [i].name);
                STELE_FAULT (snapshot_removed);
            }
    if (code == 0)
        code = stele_snapshots_remove_archives (settings->backup, entries, (size_t) count, remove, &self->refusal);
    if (code)
        stele_log_warning ("backup_not_removed", "cannot remove old snapshots: %s", self->refusal.message);
    free (remove);
    free (entries);
}

static void
s_clean (s_job_t *self)
{
    char *files [] = { self->copy, self->packed, self->scratch, self->final };
    for (size_t i = 0; i < sizeof files / sizeof files [0]; i++) {
        if (files [i] && files [i] != self->final)
            unlink (files [i]);
        free (files [i]);
    }
    self->copy = self->packed = self->scratch = self->final = NULL;
}

//  A task that was erased after the ledger was copied has left its archive, where that copy says it is
static bool
s_erased_meanwhile (const s_job_t *self)
{
    stele_refusal_t unused;
    stele_reader_t *reader = stele_reader_open (self->settings->ledger, &unused);
    bool erased = reader && stele_reader_last_erasure (reader) > self->entry.facts.position;
    stele_reader_close (&reader);
    return erased;
}

static int
s_take (s_job_t *self)
{
    int code = s_copy (self);
    stele_thread_nice (NICE);
    if (code == 0)
        code = s_compress (self);
    if (code == 0)
        code = s_verify (self);
    if (code == 0)
        code = s_copy_archives (self);
    return code;
}

void
stele_snapshot_job (zsock_t *pipe, void *args)
{
    const stele_snapshot_job_args_t *given = args;
    s_job_t self = { .pipe = pipe, .settings = given->settings, .ledger_id = given->ledger_id };
    zsock_signal (pipe, 0);
    stele_thread_name ("snapshot");
    stele_thread_nice (NICE_COPY);
    int code = s_prepare (&self);
    if (code == 0 && (code = s_take (&self)) == STELE_ELEDGER && s_erased_meanwhile (&self)) {
        s_clean (&self);
        memset (&self.entry, 0, sizeof self.entry);
        code = s_take (&self);
    }
    if (code == 0)
        code = s_publish (&self);
    STELE_FAULT (snapshot_published);
    s_clean (&self);
    if (code == 0)
        s_prune (&self);
    zstr_sendx (pipe, code? "FAILED": "DONE", code? self.refusal.message: self.entry.name, NULL);
    STELE_TSAN_RELEASE (self.settings);
}
