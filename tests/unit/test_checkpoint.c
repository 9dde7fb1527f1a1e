/*  test_checkpoint - while commits continue, the log stays complete until all of it is in the file

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "sqlite/wal/checkpoint.h"
#include "sqlite/wal/log_length.h"
#include "sqlite/sql/sql.h"
#include "stele_error.h"

#define LOG_BYTES (64 * 1024 * 1024)
#define ROWS 10500                  // Of one page each: more than a checkpoint waits for

typedef struct {
    char folder [64];
    char path [96];
    sqlite3 *db;
    stele_checkpoint_t *checkpoint;
    int pages;                      // Of the log
} desk_t;

static int
s_on_commit (void *arg, sqlite3 *db, const char *name, int pages)
{
    desk_t *self = arg;
    (void) db;
    (void) name;
    self->pages = pages;
    stele_checkpoint_grown (self->checkpoint, pages);
    return SQLITE_OK;
}

static void
s_exec (sqlite3 *db, const char *sql)
{
    assert_int_equal (sqlite3_exec (db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int
s_setup (void **state)
{
    desk_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    strcpy (self->folder, "/tmp/stele-test-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->path, sizeof self->path, "%s/ledger", self->folder);
    assert_int_equal (sqlite3_open (self->path, &self->db), SQLITE_OK);
    s_exec (self->db, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA wal_autocheckpoint = 0; CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB)");
    self->checkpoint = stele_checkpoint_new (self->db, LOG_BYTES);
    assert_non_null (self->checkpoint);
    sqlite3_wal_hook (self->db, s_on_commit, self);
    *state = self;
    return 0;
}

static int
s_teardown (void **state)
{
    desk_t *self = *state;
    stele_checkpoint_destroy (&self->checkpoint);
    assert_int_equal (sqlite3_close (self->db), SQLITE_OK);
    char command [128];
    snprintf (command, sizeof command, "rm -r %s", self->folder);
    assert_int_equal (system (command), 0);
    free (self);
    return 0;
}

static void
s_commit (desk_t *self, int rows)
{
    s_exec (self->db, "BEGIN");
    for (int i = 0; i < rows; i++)
        s_exec (self->db, "INSERT INTO rows (content) VALUES (zeroblob (3900))");
    s_exec (self->db, "COMMIT");
}

//  By another process: closing the file in this one would drop SQLite's locks
static void
s_copy_file (desk_t *self, const char *from, const char *to)
{
    char command [256];
    snprintf (command, sizeof command, "cp %s%s %s%s", self->path, from, self->path, to);
    assert_int_equal (system (command), 0);
}

//  Rows after a power cut that loses everything not synced: of the old file, and the log
static int64_t
s_rows_after_power_cut (desk_t *self)
{
    char path [128];
    sqlite3 *db;
    s_copy_file (self, "-wal", "-cut-wal");
    snprintf (path, sizeof path, "%s-cut", self->path);
    assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
    int64_t rows = stele_sql_integer (db, "SELECT count (*) FROM rows", -1);
    assert_int_equal (sqlite3_close (db), SQLITE_OK);
    return rows;
}

static void
s_wait_due (desk_t *self)
{
    struct timespec moment = { 0, 1000000 };
    for (int i = 0; i < 60000 && !stele_checkpoint_due (self->checkpoint, 0); i++)
        nanosleep (&moment, NULL);
    assert_true (stele_checkpoint_due (self->checkpoint, 0));
}

static void
test_checkpoint_before_it_is_synced_leaves_the_log_whole (void **state)
{
    desk_t *self = *state;
    s_commit (self, ROWS);
    s_copy_file (self, "", "-cut");
    assert_true (stele_checkpoint_due (self->checkpoint, 0));
    assert_false (stele_checkpoint_ends (self->checkpoint));
    assert_int_equal (stele_checkpoint_step (self->checkpoint), 0);

    int pages = self->pages;
    s_commit (self, 10);
    assert_true (self->pages > pages);
    assert_int_equal (s_rows_after_power_cut (self), ROWS + 10);

    s_wait_due (self);
    assert_true (stele_checkpoint_ends (self->checkpoint));
    s_commit (self, 10);
    assert_true (self->pages > pages + 10);
    assert_int_equal (s_rows_after_power_cut (self), ROWS + 20);

    assert_int_equal (stele_checkpoint_step (self->checkpoint), 0);
    s_commit (self, 1);
    assert_true (self->pages < 100);
    assert_false (stele_checkpoint_due (self->checkpoint, 0));
    assert_int_equal (stele_sql_integer (self->db, "SELECT count (*) FROM rows", -1), ROWS + 21);
}

static void
test_checkpoint_with_many_pages_meanwhile_goes_round_again (void **state)
{
    desk_t *self = *state;
    s_commit (self, ROWS);
    assert_int_equal (stele_checkpoint_step (self->checkpoint), 0);
    s_commit (self, 1500);
    s_wait_due (self);
    assert_false (stele_checkpoint_ends (self->checkpoint));
    assert_int_equal (stele_checkpoint_step (self->checkpoint), 0);
    s_wait_due (self);
    assert_true (stele_checkpoint_ends (self->checkpoint));
}

static void
test_checkpoint_while_a_reader_reads_is_put_off (void **state)
{
    desk_t *self = *state;
    sqlite3 *reader;
    s_commit (self, 1);
    assert_int_equal (sqlite3_open (self->path, &reader), SQLITE_OK);
    s_exec (reader, "BEGIN; SELECT * FROM rows");
    s_commit (self, ROWS);
    assert_true (stele_checkpoint_due (self->checkpoint, 0));
    assert_int_equal (stele_checkpoint_step (self->checkpoint), 0);
    s_wait_due (self);
    assert_int_equal (stele_checkpoint_step (self->checkpoint), 0);
    assert_false (stele_checkpoint_due (self->checkpoint, 0));
    assert_int_equal (stele_checkpoint_truncate (self->checkpoint), STELE_EBUSY);
    s_exec (reader, "COMMIT");
    assert_int_equal (sqlite3_close (reader), SQLITE_OK);
    assert_int_equal (stele_checkpoint_truncate (self->checkpoint), 0);
    s_commit (self, 1);
    assert_true (self->pages < 100);
}

static void
test_checkpoint_of_a_short_log_waits_for_an_idle_moment (void **state)
{
    desk_t *self = *state;
    s_commit (self, 1200);
    assert_false (stele_checkpoint_due (self->checkpoint, 200000));
    //  A gap in a load is not idle time
    s_commit (self, 1);
    assert_false (stele_checkpoint_due (self->checkpoint, 200000));
    assert_false (stele_checkpoint_due (self->checkpoint, 90000));
    assert_true (stele_checkpoint_due (self->checkpoint, 20000));
}

static int64_t
s_log_bytes (desk_t *self)
{
    char name [128];
    struct stat status;
    snprintf (name, sizeof name, "%s-wal", self->path);
    assert_int_equal (stat (name, &status), 0);
    return status.st_size;
}

//  Checkpoints in idle time until nothing is due
static void
s_idle (desk_t *self)
{
    struct timespec moment = { 0, 1000000 };
    int64_t spare_us = 3000000;
    for (int i = 0; i < 20 && stele_checkpoint_due (self->checkpoint, spare_us); i++) {
        assert_int_equal (stele_checkpoint_step (self->checkpoint), 0);
        for (int j = 0; j < 1000 && !stele_checkpoint_due (self->checkpoint, spare_us); j++)
            nanosleep (&moment, NULL);
    }
}

//  ... until the log has no bytes
static void
s_idle_until_empty (desk_t *self)
{
    struct timespec moment = { 0, 1000000 };
    for (int i = 0; i < 60000 && s_log_bytes (self) > 0; i++) {
        if (stele_checkpoint_due (self->checkpoint, 3000000))
            assert_int_equal (stele_checkpoint_step (self->checkpoint), 0);
        nanosleep (&moment, NULL);
    }
    assert_int_equal (s_log_bytes (self), 0);
}

static void
test_checkpoint_of_a_log_that_a_reader_held_shortens_its_file (void **state)
{
    desk_t *self = *state;
    sqlite3 *reader;
    s_commit (self, 1);
    assert_int_equal (sqlite3_open (self->path, &reader), SQLITE_OK);
    s_exec (reader, "BEGIN; SELECT * FROM rows");
    s_commit (self, 3 * ROWS);
    s_idle (self);
    assert_true (s_log_bytes (self) > LOG_BYTES);
    s_exec (reader, "COMMIT");
    assert_int_equal (sqlite3_close (reader), SQLITE_OK);
    s_idle_until_empty (self);
    //  One within its limit is reused, since blocks that exist are written faster
    s_commit (self, ROWS);
    s_idle (self);
    assert_true (s_log_bytes (self) > ROWS * 4096);
    assert_int_equal (stele_sql_integer (self->db, "SELECT count (*) FROM rows", -1), 4 * ROWS + 1);
}

//  The reader began when all of the log was copied: it holds the log as it is, and no commit waits for it
static void
test_checkpoint_does_not_wait_for_a_reader_to_shorten_the_file (void **state)
{
    desk_t *self = *state;
    sqlite3 *reader, *late;
    assert_int_equal (sqlite3_busy_timeout (self->db, 60000), SQLITE_OK);
    s_commit (self, 1);
    assert_int_equal (sqlite3_open (self->path, &reader), SQLITE_OK);
    s_exec (reader, "BEGIN; SELECT * FROM rows");
    s_commit (self, 3 * ROWS);
    assert_int_equal (sqlite3_open (self->path, &late), SQLITE_OK);
    s_exec (late, "BEGIN; SELECT count (*) FROM rows");
    s_exec (reader, "COMMIT");
    s_idle (self);
    assert_true (s_log_bytes (self) > LOG_BYTES);
    s_exec (late, "COMMIT");
    s_idle_until_empty (self);
    assert_int_equal (stele_sql_integer (self->db, "PRAGMA busy_timeout", 0), 60000);
    assert_int_equal (sqlite3_close (reader), SQLITE_OK);
    assert_int_equal (sqlite3_close (late), SQLITE_OK);
}

static void
test_checkpoint_beside_commits_keeps_every_row (void **state)
{
    desk_t *self = *state;
    int restarts = 0;
    for (int i = 0; i < 6000; i++) {
        int pages = self->pages;
        s_commit (self, 7);
        restarts += self->pages < pages;
        if (stele_checkpoint_due (self->checkpoint, 0))
            assert_int_equal (stele_checkpoint_step (self->checkpoint), 0);
    }
    assert_true (restarts >= 3);
    assert_int_equal (stele_checkpoint_truncate (self->checkpoint), 0);
    assert_int_equal (stele_sql_integer (self->db, "SELECT count (*) FROM rows", -1), 6000 * 7);
    assert_int_equal (stele_sql_integer (self->db, "SELECT count (*) FROM pragma_integrity_check"
        " WHERE integrity_check = 'ok'", -1), 1);
}

//  Without the frames that are left from before it restarted
static void
test_checkpoint_length_of_the_log_is_what_is_in_use (void **state)
{
    desk_t *self = *state;
    struct stat status;
    char log [128];
    snprintf (log, sizeof log, "%s-wal", self->path);
    for (int rows = 1; rows < 200; rows *= 3) {
        s_commit (self, rows);
        assert_int_equal (stele_log_length (self->path), (int64_t) self->pages * (4096 + 24));
    }
    s_exec (self->db, "PRAGMA wal_checkpoint (RESTART)");
    s_commit (self, 1);
    assert_true (self->pages < 10);
    assert_int_equal (stele_log_length (self->path), (int64_t) self->pages * (4096 + 24));
    assert_int_equal (stat (log, &status), 0);
    assert_true (status.st_size > 100 * 4096);
    assert_int_equal (stele_log_length (self->folder), 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_checkpoint_before_it_is_synced_leaves_the_log_whole,
            s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_checkpoint_with_many_pages_meanwhile_goes_round_again,
            s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_checkpoint_of_a_short_log_waits_for_an_idle_moment,
            s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_checkpoint_of_a_log_that_a_reader_held_shortens_its_file,
            s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_checkpoint_does_not_wait_for_a_reader_to_shorten_the_file,
            s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_checkpoint_beside_commits_keeps_every_row, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_checkpoint_while_a_reader_reads_is_put_off, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_checkpoint_length_of_the_log_is_what_is_in_use, s_setup, s_teardown)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
