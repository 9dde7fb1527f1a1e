/*  ledger - batches and upkeep

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include "base/clock.h"
#include "fault/fault.h"
#include "sqlite/write/ledger_internal.h"

#define VERIFY_MS 250               // Between two checks of the files in idle time

//  Note the result of a step of a checkpoint
static int
s_checkpointed (stele_ledger_t *self, int code)
{
    if (code)
        snprintf (self->error, sizeof self->error, "%s", stele_checkpoint_error (self->checkpoint));
    if (!stele_error_is_transient (code))
        self->broken = true;
    return code;
}

const char *
stele_ledger_id (const stele_ledger_t *self)
{
    return self->id;
}

int64_t
stele_ledger_head (const stele_ledger_t *self)
{
    return self->head;
}

stele_reader_t *
stele_ledger_reader (stele_ledger_t *self)
{
    return self->reader;
}

int64_t
stele_ledger_last (const stele_ledger_t *self)
{
    return self->next > self->top? self->next - 1: self->top;
}

const char *
stele_ledger_error (const stele_ledger_t *self)
{
    return self->error;
}

int
stele_ledger_begin (stele_ledger_t *self)
{
    self->next = self->top + 1;
    if (self->decisions)
        stele_decisions_clear (self->decisions);
    if (self->suspended && sqlite3_get_autocommit (self->db))
        return stele_ledger_rolled_back (self);
    int code = STELE_FAULT_CODE (begin_before);
    if (code)
        return stele_ledger_fail (self, code);
    code = stele_ledger_run (self, self->suspended? self->sql.savepoint: self->sql.begin);
    if (code == 0)
        STELE_FAULT (begin_after);
    return code;
}

//  The times of commits are searched, so they ascend: if the clock goes back a little, the time of the
//  last commit is repeated. If it goes back by more, it was wrong before: the time is true again,
//  and meta has the position from which on times ascend again (src/sqlite/read/commit_time.c).
static int
s_time_of_commit (stele_ledger_t *self, int64_t now_us, int64_t *time_us)
{
    if (self->committed_at - now_us <= STELE_SET_BACK_US) {
        *time_us = now_us > self->committed_at? now_us: self->committed_at;
        return 0;
    }
    char sql [160];
    snprintf (sql, sizeof sql, "INSERT OR REPLACE INTO meta VALUES ('" STELE_SET_BACK_KEY "%020lld', %lld)",
        (long long) self->top + 1, (long long) self->committed_at);
    *time_us = now_us;
    int code = stele_sql_exec (self->db, sql);
    return code? stele_ledger_fail (self, code): 0;
}

//  The row of commits for the events of the batch, if there are any
static int
s_record_commit (stele_ledger_t *self, int64_t now_us, int64_t *time_us)
{
    sqlite3_stmt *row = self->sql.commits;
    if (self->next == self->top + 1)
        return stele_ledger_bind_unsettled (self, NULL);
    sqlite3_bind_int64 (row, 1, self->top + 1);
    sqlite3_bind_int64 (row, 2, self->next - 1);
    int code = s_time_of_commit (self, now_us, time_us);
    sqlite3_bind_int64 (row, 3, *time_us);
    if (code == 0)
        code = stele_ledger_bind_unsettled (self, row);
    if (code == 0)
        code = stele_ledger_run (self, row);
    return code? code: stele_ledger_settle (self);
}

int
stele_ledger_replay_commit (stele_ledger_t *self, int64_t time_us)
{
    int64_t recorded_us = self->committed_at;
    int code = s_record_commit (self, time_us, &recorded_us);
    if (code)
        return code;
    self->committed_at = recorded_us;
    self->top = self->next - 1;
    return 0;
}

int
stele_ledger_commit (stele_ledger_t *self, int64_t now_us)
{
    int64_t time_us = self->committed_at;
    int code = stele_ledger_in_batch (self);
    if (code)
        return code;
    code = STELE_FAULT_CODE (flush_before);
    if (code == 0)
        code = stele_task_cache_flush (self->tasks);
    if (code == 0)
        code = stele_zone_map_flush (self->zones);
    if (code == 0)
        code = STELE_FAULT_CODE (commits_before);
    if (code)
        return stele_ledger_fail (self, code);
    code = s_record_commit (self, now_us, &time_us);
    if (code)
        return code;
    code = STELE_FAULT_CODE (commit_before);
    if (code)
        return stele_ledger_fail (self, code);
    code = stele_ledger_run (self, self->suspended? self->sql.release: self->sql.commit);
    if (code)
        return code;
    code = STELE_FAULT_CODE (commit_after);
    if (code)
        return stele_ledger_fail (self, code);
    //  Committed, but to files that were removed or replaced meanwhile: no ack
    if (!stele_ledger_in_place (self))
        return STELE_EIO;
    self->committed_at = time_us;
    self->top = self->next - 1;
    self->top_rejected = self->next_rejected;
    if (self->suspended) {
        stele_task_cache_trim (self->tasks);
        return 0;
    }
    self->head = self->top;
    self->rejected = self->top_rejected;
    //  The batch is durable even if this fails; the upkeep after the batch reports it
    STELE_FAULT (high_water_before);
    if (stele_high_water_set (self->high_water, self->head, self->rejected) == STELE_EIO)
        self->high_water_code = STELE_EIO;
    STELE_FAULT (high_water_after);
    stele_task_cache_trim (self->tasks);
    return 0;
}

void
stele_ledger_rollback (stele_ledger_t *self)
{
    STELE_FAULT (rollback_before);
    //  After some errors SQLite has rolled back by itself
    if (!sqlite3_get_autocommit (self->db))
        stele_sql_exec (self->db, self->suspended? "ROLLBACK TO batch; RELEASE batch": "ROLLBACK");
    stele_sql_bound_forget ();
    stele_task_cache_forget (self->tasks);
    stele_zone_map_forget (self->zones);
    stele_intern_forget (self->words);
    stele_ledger_settle_soon (self);
    self->next = self->top + 1;
    self->next_rejected = self->top_rejected;
}

int
stele_ledger_follower_save (stele_ledger_t *self, const char *name,
    int64_t position, int64_t time_us)
{
    int code = STELE_FAULT_CODE (cursor_store_before);
    if (code)
        return stele_ledger_fail (self, code);
    sqlite3_bind_text (self->sql.follower, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (self->sql.follower, 2, position);
    sqlite3_bind_int64 (self->sql.follower, 3, time_us);
    code = stele_ledger_run (self, self->sql.follower);
    if (code == 0 && self->decisions)
        stele_decisions_add (self->decisions, STELE_DECIDED_CURSOR, name, position, time_us);
    STELE_FAULT (cursor_store_after);
    return code;
}

static int
s_keep_high_water (stele_ledger_t *self, bool now)
{
    if (self->high_water_code == 0)
        self->high_water_code = stele_high_water_sync (self->high_water, now);
    if (self->high_water_code)
        snprintf (self->error, sizeof self->error, "cannot write %s",
            stele_high_water_path (self->high_water));
    return self->high_water_code;
}

//  Now and then, so that removed files are noticed without any event
static bool
s_still_in_place (stele_ledger_t *self)
{
    int64_t now_ms = stele_clock_steady_ms ();
    if (now_ms - self->verified_ms < VERIFY_MS)
        return true;
    self->verified_ms = now_ms;
    return stele_ledger_in_place (self);
}

int
stele_ledger_idle (stele_ledger_t *self, int64_t spare_us)
{
    if (!s_still_in_place (self))
        return STELE_EIO;
    if (self->suspended)
        return 0;
    int code = stele_content_learn (self->content);
    //  If no dictionary could be made, compression continues as before
    if (code && stele_ledger_fail (self, code) == STELE_EIO)
        return STELE_EIO;
    code = s_keep_high_water (self, false);
    if (code == 0)
        code = stele_ledger_scrub_step (self);
    if (code)
        return code;
    if (!stele_checkpoint_due (self->checkpoint, spare_us))
        return 0;
    code = STELE_FAULT_CODE (checkpoint_before);
    if (code)
        return stele_ledger_fail (self, code);
    //  The high-water mark has to be durable before the log that holds the acked events may be overwritten
    code = s_keep_high_water (self, true);
    if (code)
        return code;
    code = s_checkpointed (self, stele_checkpoint_step (self->checkpoint));
    if (code == 0 && (code = STELE_FAULT_CODE (checkpoint_after)))
        return stele_ledger_fail (self, code);
    return code;
}

int
stele_ledger_make_room (stele_ledger_t *self)
{
    if (self->suspended)
        return 0;
    int code = s_keep_high_water (self, true);
    if (code)
        return code;
    code = stele_checkpoint_truncate (self->checkpoint);
    return code == STELE_EBUSY? STELE_EFULL: s_checkpointed (self, code);
}
