/*  stats - counts of tasks, sessions, commits, rejected events, losses

    The writer keeps counts of tasks. Sessions and commits are never deleted, so
    only new ones are counted each time; rejected events can be retried, so all of
    them are.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "sqlite/sql/file_names.h"
#include "sqlite/reader/reader_internal.h"

int64_t
reader_file_size (const stele_reader_t *self, const char *suffix)
{
    char *name = sqlite3_mprintf ("%s%s", self->path, suffix);
    struct stat file;
    int64_t size = name && stat (name, &file) == 0? (int64_t) file.st_size: 0;
    sqlite3_free (name);
    return size;
}

//  Count the rows of a growing table after key *until. The statement returns their number and the
//  last key.
static void
s_count_added (stele_reader_t *self, int slot, const char *sql, int64_t *counted, int64_t *until)
{
    sqlite3_stmt *statement = reader_with_key (self, slot, sql, *until);
    if (reader_step (self, statement) != 1)
        return;
    *counted += sqlite3_column_int64 (statement, 0);
    if (sqlite3_column_type (statement, 1) != SQLITE_NULL)
        *until = sqlite3_column_int64 (statement, 1);
}

//  How far the newest commit is ahead of the clock
static int64_t
s_ahead_ms (stele_reader_t *self)
{
    int64_t first, last, time = 0;
    int64_t now_us = stele_clock_us ();
    int rc = reader_commit_of (self, reader_head (self), &first, &last, &time);
    return rc == 1 && time > now_us? (time - now_us) / 1000: 0;
}

int
stele_reader_stats (stele_reader_t *self, stele_ledger_stats_t *stats)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    stele_ledger_stats_t counted = { 0 };
    sqlite3_stmt *statement = reader_statement (self, SLOT_STATS_STATES,
        "SELECT state, sum (count) FROM task_counts GROUP BY state");
    while (reader_step (self, statement) == 1) {
        int state = sqlite3_column_int (statement, 0);
        int64_t count = sqlite3_column_int64 (statement, 1);
        counted.tasks += count;
        if (state > 0 && state < STELE_TASK_STATE_END)
            counted.by_state [state] = count;
    }
    s_count_added (self, SLOT_STATS_SESSIONS,
        "SELECT count (*), max (id) FROM (SELECT id FROM main.cli_sessions WHERE id > ?1"
        " UNION ALL SELECT id FROM main.archived_sessions WHERE id > ?1)",
        &self->sessions_counted, &self->sessions_until);
    s_count_added (self, SLOT_STATS_COMMITS,
        "SELECT count (*), max (first) FROM commits WHERE first > ?1",
        &self->commits_counted, &self->commits_until);
    counted.sessions = self->sessions_counted;
    counted.commits = self->commits_counted;
    counted.rejected = reader_integer (self, reader_statement (self, SLOT_STATS_REJECTED,
        "SELECT count (*) FROM rejected_events WHERE retried_at IS NULL"), 0);
    counted.losses = reader_integer (self, reader_statement (self, SLOT_LOSS_COUNT,
        "SELECT count (*) FROM losses"), 0);
    counted.storage [0] = (stele_figure_t) { "size_bytes", reader_file_size (self, "") };
    counted.storage [1] = (stele_figure_t) { "wal_bytes", reader_file_size (self, STELE_WAL_SUFFIX) };
    counted.storage [2] = (stele_figure_t) { "ahead_ms", s_ahead_ms (self) };
    if (self->archives) {
        counted.storage [3] = (stele_figure_t) { "archived_tasks", reader_integer (self, reader_statement (self,
            SLOT_STATS_ARCHIVED, "SELECT sum (tasks) FROM main.archives"), 0) };
        counted.storage [4] = (stele_figure_t) { "archived_sessions", reader_integer (self, reader_statement (self,
            SLOT_STATS_ARCHIVED_SESSIONS, "SELECT sum (sessions) FROM main.archives"), 0) };
    }
    rc = (int) reader_leave (self, 0);
    if (rc == 0)
        *stats = counted;
    return rc;
}

int
stele_reader_counts (stele_reader_t *self, int which, stele_count_fn *fn, void *arg)
{
    static const char *const sql [] = {
        "SELECT (SELECT word FROM words WHERE id = role), sum (count) AS n FROM task_counts"
        " GROUP BY role HAVING n > 0 ORDER BY n DESC, role",
        "SELECT (SELECT word FROM words WHERE id = provider), sum (count) AS n FROM task_counts"
        " GROUP BY provider HAVING n > 0 ORDER BY n DESC, provider",
        "SELECT (SELECT word FROM words WHERE id = model), sum (count) AS n FROM task_counts"
        " GROUP BY model HAVING n > 0 ORDER BY n DESC, model"
    };
    assert (which >= 0 && which <= 2);
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_statement (self, SLOT_COUNTS_ROLE + which, sql [which]);
    while (rc == 0 && reader_step (self, statement) == 1)
        rc = fn ((const char *) sqlite3_column_text (statement, 0),
            sqlite3_column_int64 (statement, 1), arg);
    return (int) reader_leave (self, rc < 0? rc: 0);
}

int
stele_reader_losses (stele_reader_t *self, int64_t limit, stele_lost_fn *fn, void *arg)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    sqlite3_stmt *statement = reader_with_key (self, SLOT_LOSSES,
        "SELECT time, ledger_id, first, last, rejected, evidence FROM losses"
        " ORDER BY id DESC LIMIT ?1", limit);
    int ended = 0;
    while (!ended && reader_step (self, statement) == 1) {
        stele_lost_t lost = {
            .time_us = sqlite3_column_int64 (statement, 0),
            .ledger_id = (const char *) sqlite3_column_text (statement, 1),
            .first = sqlite3_column_int64 (statement, 2),
            .last = sqlite3_column_int64 (statement, 3),
            .rejected = sqlite3_column_int64 (statement, 4),
            .evidence = (const char *) sqlite3_column_text (statement, 5)
        };
        ended = fn (&lost, arg);
    }
    sqlite3_reset (statement);
    return (int) reader_leave (self, ended < 0? ended: 0);
}
