/*  restore - make a ledger from a repository

    Everything happens in TARGET.restoring, and in TARGET.restoring.archive-YEAR; the last steps give the archives, then
    the ledger their names, which never replaces a file.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "fault/fault.h"
#include "ledger/archive.h"
#include "ledger/erase.h"
#include "ledger/ledger.h"
#include "proof/erased.h"
#include "repository/archive_copies.h"
#include "repository/packed_file.h"
#include "repository/replay.h"
#include "repository/repository.h"
#include "repository/restore.h"
#include "repository/snapshots.h"

#define RESTORED_BY "local"         // Whoever needs no key (protocol section 3)

typedef struct {
    const char *path, *target;
    const stele_restore_options_t *options;
    stele_repository_t *repository;
    stele_snapshot_entry_t *entries;
    int64_t count;
    int64_t base;                   // Index of the snapshot to begin with; -1: none
    int64_t segments;               // Last position of the segments, 0: none
    int64_t begun, total;           // Of the replay: position before it, and number of events
    char *work;                     // TARGET.restoring
    bool named [STELE_SNAPSHOT_ARCHIVES];   // Archives that got their names
    stele_restored_t *result;
    stele_refusal_t *refusal;
} s_restore_t;

//  Files of a ledger beside its database
static const char *const s_beside [] = { "", "-wal", "-shm", ".high-water", ".lock" };
#define BESIDE_COUNT (sizeof s_beside / sizeof s_beside [0])

static char *
s_join (const char *path, const char *suffix)
{
    char *file;
    if (asprintf (&file, "%s%s", path, suffix) < 0)
        abort ();
    return file;
}

static void
s_progress (const s_restore_t *self, const char *step, int64_t done, int64_t total)
{
    if (self->options->progress)
        self->options->progress (step, done, total, self->options->arg);
}

//  -- files -------------------------------------------------------------------------------

//  Neither a ledger nor what is left of one may be at the target
static int
s_check_target (s_restore_t *self)
{
    int code = 0;
    for (size_t i = 0; i < BESIDE_COUNT && code == 0; i++) {
        char *file = s_join (self->target, s_beside [i]);
        if (strcmp (s_beside [i], ".lock") != 0 && access (file, F_OK) == 0)
            code = stele_refuse (self->refusal, STELE_EEXISTS, "ledger",
                "there is a file %s: a restore writes over nothing; choose another name, or move that file away with "
                "those beside it", file);
        free (file);
    }
    return code;
}

static char *
s_archive_file (const char *ledger, int64_t year)
{
    char *file;
    if (asprintf (&file, "%s.archive-%04" PRId64, ledger, year) < 0)
        abort ();
    return file;
}

static void
s_remove (const char *path)
{
    for (size_t i = 0; i < BESIDE_COUNT; i++) {
        char *file = s_join (path, s_beside [i]);
        unlink (file);
        free (file);
    }
}

//  Also what an interrupted restore left
static void
s_remove_work (const s_restore_t *self)
{
    int64_t years [100];
    s_remove (self->work);
    int count = stele_archives_beside (self->work, years, 100);
    for (int i = 0; i < count; i++) {
        char *file = s_archive_file (self->work, years [i]);
        s_remove (file);
        free (file);
    }
}

//  Unlike rename, these fail if there is such a file. Not every file system has links, or the flag. Returns 0 or -1 with errno.
static int
s_name_file (const char *work, const char *target)
{
    int rc = link (work, target);
    if (rc != 0 && errno != EEXIST)
        rc = renameat2 (AT_FDCWD, work, AT_FDCWD, target, RENAME_NOREPLACE);
    return rc == 0? stele_file_sync_folder (target): -1;
}

static int
s_give_name (s_restore_t *self)
{
    char reason [400];
    STELE_FAULT (restore_named);
    if (s_name_file (self->work, self->target) == 0)
        return 0;
    stele_file_reason (self->target, errno, reason, sizeof reason);
    return stele_refuse (self->refusal, errno == EEXIST? STELE_EEXISTS: STELE_EIO, "ledger", "%s", reason);
}

//  -- what to restore -----------------------------------------------------------------------

//  The newest sound snapshot before index 'before' that is not after the wanted moment; -1: none
static int64_t
s_snapshot (const s_restore_t *self, int64_t before)
{
    const stele_restore_options_t *options = self->options;
    for (int64_t i = before; i-- > 0; ) {
        const stele_snapshot_entry_t *entry = &self->entries [i];
        if (entry->sound && (options->position < 0 || entry->facts.position <= options->position)
        && (options->time_us == 0 || entry->facts.committed_us <= options->time_us))
            return i;
    }
    return -1;
}

static int64_t
s_newest (const s_restore_t *self)
{
    for (int64_t i = self->count; i-- > 0; )
        if (self->entries [i].sound)
            return self->entries [i].facts.position;
    return 0;
}

static int64_t
s_base_position (const s_restore_t *self)
{
    return self->base < 0? 0: self->entries [self->base].facts.position;
}

//  The position up to which to restore by time. Without segments only moments after the newest snapshot are known.
static int64_t
s_position_at (s_restore_t *self)
{
    int64_t base = s_base_position (self);
    if (self->segments > base)
        return stele_repository_position_at (self->repository, base, self->options->time_us, self->refusal);
    return base;
}

//  Find the end of the repository, and the position up to which to restore
static int
s_choose (s_restore_t *self)
{
    const stele_restore_options_t *options = self->options;
    stele_restored_t *result = self->result;
    bool all = options->position < 0 && options->time_us == 0;
    self->base = s_snapshot (self, self->count);
    if (options->snapshot && self->base < 0)
        return stele_refuse (self->refusal, STELE_ENOT_FOUND, "backup", "%s has no sound snapshot ('stele backup list'): take one, "
            "with 'stele backup'", self->path);
    if (options->snapshot) {
        result->position = result->end = s_base_position (self);
        result->complete = true;
        return 0;
    }
    char broken [48], unused [48];
    int64_t newest = s_newest (self), tail = stele_repository_last (self->repository, newest, broken, self->refusal);
    self->segments = stele_repository_last (self->repository, s_base_position (self), unused, self->refusal);
    if (self->segments < 0 && all)
        return (int) self->segments;
    result->end = tail > newest? tail: newest;
    if (self->segments > result->end)
        result->end = self->segments;
    //  Never less than there was without a word
    if (all && *broken)
        return stele_refuse (self->refusal, STELE_ELEDGER, "backup", "%s: %s is damaged, or segments before it are missing "
            "('stele backup check'): to restore what comes before, use --at %" PRId64, self->path, broken, result->end);
    result->position = all? result->end: options->time_us? s_position_at (self): options->position;
    if (result->position < 0)
        return (int) result->position;
    int64_t base = s_base_position (self);
    if (result->position > result->end)
        return stele_refuse (self->refusal, STELE_ENOT_FOUND, "at", "%s ends at position %" PRId64 ", before %" PRId64,
            self->path, result->end, result->position);
    if (result->position == 0)
        return stele_refuse (self->refusal, STELE_ENOT_FOUND, "at", "%s has no event up to then", self->path);
    if ((self->segments < result->position && result->position > base)
    ||  (options->time_us && base < newest && self->segments <= result->position && self->segments < newest))
        return stele_refuse (self->refusal, STELE_ENOT_FOUND, "at", "%s has no segments up to there: it can be restored "
            "as of the positions of its snapshots only ('stele backup list'), such as %" PRId64, self->path,
            base? base: newest);
    result->complete = result->position == result->end;
    return 0;
}

//  -- archives ------------------------------------------------------------------------------

static const stele_archive_copies_t *
s_copies (const s_restore_t *self)
{
    static const stele_archive_copies_t none = { .count = 0 };
    return self->base < 0? &none: &self->entries [self->base].archives;
}

static bool
s_on_expand_archive (int64_t bytes, void *arg)
{
    s_restore_t *self = arg;
    s_progress (self, "restoring", bytes, 0);
    return false;
}

//  Returns 0, or a code with the refusal; STELE_ELEDGER: a copy is damaged
static int
s_expand_archives (s_restore_t *self)
{
    const stele_archive_copies_t *copies = s_copies (self);
    int64_t rc = 0;
    for (int i = 0; i < copies->count && rc >= 0; i++) {
        char *file = stele_archive_copy_path (&copies->items [i], self->path, "");
        char *work = s_archive_file (self->work, copies->items [i].archive.year);
        rc = stele_packed_file_expand (file, work, s_on_expand_archive, self, self->refusal);
        free (file);
        free (work);
    }
    return rc < 0? (int) rc: 0;
}

static int
s_verify_archives (s_restore_t *self)
{
    const stele_archive_copies_t *copies = s_copies (self);
    int code = 0;
    for (int i = 0; i < copies->count && code == 0; i++) {
        char *work = s_archive_file (self->work, copies->items [i].archive.year);
        code = stele_snapshot_verify_archive (work, self->work, &copies->items [i].archive, NULL, NULL, self->refusal);
        free (work);
    }
    return code;
}

//  A restore that was killed after this step left it, or a person who had copied it there
static bool
s_is_same_file (const char *one, const char *other)
{
    char first [65], second [65];
    stele_refusal_t unused;
    return stele_archive_copy_hash (one, first, NULL, NULL, &unused) == 0 && stele_archive_copy_hash (other, second, NULL, NULL, &unused) == 0
        && strcmp (first, second) == 0;
}

static int
s_name_archives (s_restore_t *self)
{
    const stele_archive_copies_t *copies = s_copies (self);
    int code = 0;
    char reason [400];
    for (int i = 0; i < copies->count && code == 0; i++) {
        char *work = s_archive_file (self->work, copies->items [i].archive.year);
        char *target = s_archive_file (self->target, copies->items [i].archive.year);
        self->named [i] = s_name_file (work, target) == 0;
        //  A look at the files changes errno
        int error = self->named [i]? 0: errno;
        if (error == EEXIST && !s_is_same_file (work, target))
            code = stele_refuse (self->refusal, STELE_EEXISTS, "archive", "there is another file %s: a restore writes over nothing; "
                "move it away, the backup has the archive", target);
        else
        if (error && error != EEXIST) {
            stele_file_reason (target, error, reason, sizeof reason);
            code = stele_refuse (self->refusal, STELE_EIO, "archive", "%s", reason);
        }
        free (work);
        free (target);
    }
    self->result->archives = copies->count < 0? 0: copies->count;
    STELE_FAULT (restore_archived);
    return code;
}

//  The ledger did not get its name
static void
s_take_names_back (const s_restore_t *self)
{
    for (int i = 0; i < s_copies (self)->count; i++)
        if (self->named [i]) {
            char *target = s_archive_file (self->target, s_copies (self)->items [i].archive.year);
            unlink (target);
            free (target);
        }
}

//  -- steps -------------------------------------------------------------------------------

static bool
s_on_expand (int64_t bytes, void *arg)
{
    s_restore_t *self = arg;
    s_progress (self, "restoring", bytes, self->entries [self->base].file_bytes);
    return false;
}

//  Expand the snapshot. If it is damaged, an older one and more segments do the same.
static int
s_expand (s_restore_t *self)
{
    while (self->base >= 0) {
        stele_snapshot_entry_t *entry = &self->entries [self->base];
        char *file = stele_snapshots_path (self->path, entry->name, "db.zst");
        int64_t rc = stele_packed_file_expand (file, self->work, s_on_expand, self, self->refusal);
        free (file);
        if (rc >= 0)
            rc = s_expand_archives (self);
        if (rc >= 0) {
            snprintf (self->result->snapshot, sizeof self->result->snapshot, "%s", entry->name);
            return 0;
        }
        if (rc != STELE_ELEDGER || self->segments < self->result->position)
            return (int) rc;
        size_t used = strlen (self->result->skipped);
        snprintf (self->result->skipped + used, sizeof self->result->skipped - used, "%s%s", used? "; ": "",
            self->refusal->message);
        s_remove_work (self);
        self->base = s_snapshot (self, self->base);
    }
    return 0;
}

static void
s_on_replay (int64_t position, void *arg)
{
    const s_restore_t *self = arg;
    s_progress (self, "replaying", position - self->begun, self->total);
}

static int
s_replay (s_restore_t *self, stele_ledger_t *ledger)
{
    stele_restored_t *result = self->result;
    self->begun = stele_ledger_head (ledger);
    self->total = result->position - self->begun;
    //  Also without events: states that changed after the snapshot, such as refusals
    if (self->segments < result->position)
        return 0;
    int64_t unrecorded, head = stele_repository_replay (self->repository, ledger, result->position, s_on_replay, self, &unrecorded,
        self->refusal);
    if (head < 0)
        return (int) head;
    result->replayed = head - self->begun;
    //  In a complete history, they were removed without a request
    result->erased = result->complete? 0: unrecorded;
    return head == result->position? 0: stele_refuse (self->refusal, STELE_ELEDGER, "backup",
        "the segments of %s end at position %" PRId64 " instead of %" PRId64, self->path, head, result->position);
}

static int
s_cut (s_restore_t *self, stele_ledger_t *ledger)
{
    char evidence [200];
    snprintf (evidence, sizeof evidence, "restored as of position %" PRId64 " from a backup that ends at %" PRId64,
        self->result->position, self->result->end);
    return stele_ledger_cut (ledger, self->result->end, evidence, self->refusal);
}

//  Else the restored history says that their contents were removed without a request
static int
s_record_erased (s_restore_t *self, stele_ledger_t *ledger)
{
    char details [200];
    int64_t position;
    stele_record_t *event = stele_record_new ();
    if (!event)
        return stele_refuse (self->refusal, STELE_ENO_MEMORY, "ledger", "no memory to record erased events");
    snprintf (details, sizeof details, "{\"events\":%" PRId64 ",\"reason\":\"erased after position %" PRId64 ", up to which the "
        "ledger was restored\"}", self->result->erased, self->result->position);
    event->type = STELE_AUDIT_RECORDED;
    stele_record_set_integer (event, STELE_TIME, stele_clock_us ());
    stele_record_set_text (event, STELE_WHO, RESTORED_BY, strlen (RESTORED_BY));
    stele_record_set_text (event, STELE_OPERATION, STELE_ERASED_OPERATION, strlen (STELE_ERASED_OPERATION));
    stele_record_set_text (event, STELE_OUTCOME, "ok", 2);
    stele_record_set_json (event, STELE_DETAILS, details, strlen (details));
    int code = stele_ledger_begin (ledger);
    if (code == 0)
        code = stele_ledger_append (ledger, event, 0, &position, self->refusal);
    code = code < 0? code: stele_ledger_commit (ledger, stele_clock_us ());
    stele_record_destroy (&event);
    return code? stele_refuse (self->refusal, code, "ledger", "%s", stele_ledger_error (ledger)): 0;
}

static int
s_complete (s_restore_t *self)
{
    stele_ledger_t *ledger = stele_ledger_open (self->work, STELE_CHECK_NONE, self->refusal);
    if (!ledger)
        return self->refusal->code;
    int code = s_replay (self, ledger);
    if (code == 0)
        code = stele_erased_finish (ledger, self->refusal);
    STELE_FAULT (restore_replayed);
    if (code == 0 && !self->result->complete)
        code = s_cut (self, ledger);
    if (code == 0 && self->result->erased)
        code = s_record_erased (self, ledger);
    snprintf (self->result->ledger_id, sizeof self->result->ledger_id, "%s", stele_ledger_id (ledger));
    stele_ledger_close (&ledger);
    return code;
}

//  The closed ledger is in one file now: the rest beside it belongs to the name of the work
static int
s_verify (s_restore_t *self)
{
    stele_snapshot_facts_t facts;
    s_progress (self, "verifying", 0, 0);
    int code = stele_snapshot_verify (self->work, NULL, NULL, &facts, self->refusal);
    int handle = code? -1: stele_file_open (self->work, O_RDWR, 0);
    int64_t position = self->result->position + (self->result->erased > 0);
    if (code == 0 && facts.position != position)
        code = stele_refuse (self->refusal, STELE_ELEDGER, "backup", "the restored ledger ends at position %" PRId64
            " instead of %" PRId64, facts.position, position);
    if (code == 0 && (handle < 0 || fsync (handle) != 0))
        code = stele_refuse (self->refusal, STELE_EIO, "ledger", "cannot sync %s: %s", self->work, strerror (errno));
    if (handle >= 0)
        close (handle);
    return code;
}

int
stele_repository_restore (const char *path, const char *target, const stele_restore_options_t *options,
    stele_restored_t *restored, stele_refusal_t *refusal)
{
    s_restore_t self = { .path = path, .target = target, .options = options, .result = restored, .refusal = refusal };
    memset (restored, 0, sizeof *restored);
    self.work = s_join (target, STELE_RESTORING_SUFFIX);
    int code = s_check_target (&self);
    if (code == 0 && !(self.repository = stele_repository_open (path, refusal)))
        code = refusal->code;
    if (code == 0 && (self.count = stele_snapshots_list (path, &self.entries, refusal)) < 0)
        code = self.count == STELE_ENOT_FOUND? 0: (int) self.count;
    if (code == 0)
        code = s_choose (&self);
    if (code == 0) {
        s_remove_work (&self);      // Of a restore that was interrupted
        code = s_expand (&self);
        if (code == 0)
            code = s_complete (&self);
        if (code == 0)
            code = s_verify (&self);
        if (code == 0)
            code = s_verify_archives (&self);
        if (code == 0)
            code = s_name_archives (&self);
        if (code == 0)
            code = s_give_name (&self);
        if (code)
            s_take_names_back (&self);
        s_remove_work (&self);
    }
    stele_repository_close (&self.repository);
    free (self.entries);
    free (self.work);
    return code;
}
