/*  test_wal_vfs - a preallocated log reads like an ordinary one, and is rarely extended

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>
#include "sqlite/wal/shm_vfs.h"
#include "sqlite/wal/wal_vfs.h"
#include "sqlite/sql/sql.h"

#define PAGE 4096

typedef struct {
    char folder [64];
    char path [96], log [100];
    sqlite3 *db;
} desk_t;

static int
s_setup (void **state)
{
    desk_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    strcpy (self->folder, "/tmp/stele-test-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->path, sizeof self->path, "%s/ledger", self->folder);
    snprintf (self->log, sizeof self->log, "%s-wal", self->path);
    assert_non_null (stele_wal_vfs ());
    assert_int_equal (sqlite3_open_v2 (self->path, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        stele_wal_vfs ()), SQLITE_OK);
    assert_int_equal (stele_sql_exec (self->db, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL;"
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"), SQLITE_OK);
    *state = self;
    return 0;
}

static int
s_teardown (void **state)
{
    desk_t *self = *state;
    assert_int_equal (sqlite3_close (self->db), SQLITE_OK);
    char command [128];
    snprintf (command, sizeof command, "rm -r %s", self->folder);
    assert_int_equal (system (command), 0);
    free (self);
    return 0;
}

static int64_t
s_log_size (const desk_t *self)
{
    struct stat status;
    assert_int_equal (stat (self->log, &status), 0);
    return status.st_size;
}

//  A page of the table, its parent, and that of the file's header
static int
s_commit (desk_t *self)
{
    return stele_sql_exec (self->db, "INSERT INTO rows (content) VALUES (zeroblob (3900))");
}

//  What another process finds that knows nothing of this one: the file and its log as they are now
static int
s_rows_in_copy (desk_t *self)
{
    char command [640], copy [120];
    snprintf (copy, sizeof copy, "%s.copy", self->path);
    snprintf (command, sizeof command, "rm -f %s*; cp %s %s && cp %s %s-wal", copy, self->path, copy, self->log, copy);
    assert_int_equal (system (command), 0);
    sqlite3 *db;
    assert_int_equal (sqlite3_open (copy, &db), SQLITE_OK);
    int rows = (int) stele_sql_integer (db, "SELECT count (*) FROM rows", -1);
    assert_int_equal (stele_sql_integer (db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check", -1), 1);
    assert_int_equal (sqlite3_close (db), SQLITE_OK);
    return rows;
}

static void
test_log_is_lengthened_once_for_many_commits (void **state)
{
    desk_t *self = *state;
    assert_int_equal (stele_sql_exec (self->db, "CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB)"), SQLITE_OK);
    int64_t size = s_log_size (self);
    int lengthened = 0, commits = 200;
    for (int i = 0; i < commits; i++) {
        assert_int_equal (s_commit (self), SQLITE_OK);
        lengthened += s_log_size (self) != size;
        size = s_log_size (self);
    }
    //  At most three pages each, a quarter of a MiB at a time
    assert_in_range (lengthened, 1, commits * 3 * (PAGE + 24) / (256 * 1024) + 1);
    assert_int_equal (s_rows_in_copy (self), commits);
}

static void
test_log_restarts_over_its_old_frames (void **state)
{
    desk_t *self = *state;
    assert_int_equal (stele_sql_exec (self->db, "CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB)"), SQLITE_OK);
    for (int i = 0; i < 100; i++)
        assert_int_equal (s_commit (self), SQLITE_OK);
    int64_t size = s_log_size (self);
    assert_int_equal (sqlite3_wal_checkpoint_v2 (self->db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL), SQLITE_OK);
    assert_int_equal (s_commit (self), SQLITE_OK);
    assert_int_equal (s_log_size (self), size);
    assert_int_equal (s_rows_in_copy (self), 101);
    //  And over nothing
    assert_int_equal (sqlite3_wal_checkpoint_v2 (self->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL), SQLITE_OK);
    assert_int_equal (s_log_size (self), 0);
    assert_int_equal (s_commit (self), SQLITE_OK);
    assert_true (s_log_size (self) > 256 * 1024);
    assert_int_equal (s_rows_in_copy (self), 102);
}

static void
test_log_without_room_for_zeros_takes_what_fits (void **state)
{
    desk_t *self = *state;
    signal (SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    assert_int_equal (getrlimit (RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 20 * PAGE;
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &limit), 0);
    int rc = stele_sql_exec (self->db, "CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB)");
    int commits = 0;
    while (rc == SQLITE_OK && commits < 100) {
        rc = s_commit (self);
        commits += rc == SQLITE_OK;
    }
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &before), 0);
    assert_int_not_equal (rc, SQLITE_OK);
    //  Two of its pages are the table's, and a commit takes two or three
    assert_in_range (commits, 5, 9);
    assert_int_equal (s_rows_in_copy (self), commits);
    assert_int_equal (s_commit (self), SQLITE_OK);
    assert_int_equal (s_rows_in_copy (self), commits + 1);
}

static int
s_last_errno (desk_t *self)
{
    sqlite3_file *log = NULL;
    int number = -1;
    assert_int_equal (sqlite3_file_control (self->db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &log), SQLITE_OK);
    assert_non_null (log);
    assert_int_equal (log->pMethods->xFileControl (log, SQLITE_FCNTL_LAST_ERRNO, &number), SQLITE_OK);
    return number;
}

static void
test_log_error_of_zeros_is_no_error_of_the_log (void **state)
{
    desk_t *self = *state;
    signal (SIGXFSZ, SIG_IGN);
    //  The memory that connections share is larger than what is allowed below: let it be there
    assert_int_equal (stele_sql_integer (self->db, "SELECT count (*) FROM sqlite_schema", -1), 0);
    struct rlimit before, limit;
    assert_int_equal (getrlimit (RLIMIT_FSIZE, &before), 0);
    limit = before;
    //  The first commit, to the byte: all zeros are beyond it
    limit.rlim_cur = 32 + 2 * (24 + PAGE);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &limit), 0);
    int first = stele_sql_exec (self->db, "CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB)");
    int after_first = s_last_errno (self);
    int second = s_commit (self);
    int after_second = s_last_errno (self);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &before), 0);
    assert_int_equal (first, SQLITE_OK);
    assert_int_equal (s_log_size (self), limit.rlim_cur);
    assert_int_equal (after_first, 0);
    assert_int_not_equal (second, SQLITE_OK);
    assert_int_equal (after_second, EFBIG);
    assert_int_equal (s_commit (self), SQLITE_OK);
    assert_int_equal (s_rows_in_copy (self), 1);
}

//  With synchronous below FULL, SQLite publishes a transaction without a sync: its frames must be in the file then
static void
s_assert_published (desk_t *self, const char *statement, int rows)
{
    assert_int_equal (stele_sql_exec (self->db, statement), SQLITE_OK);
    sqlite3 *other;
    assert_int_equal (sqlite3_open (self->path, &other), SQLITE_OK);
    assert_int_equal (stele_sql_integer (other, "SELECT count (*) FROM rows", -1), rows);
    assert_int_equal (stele_sql_integer (other, "SELECT integrity_check = 'ok' FROM pragma_integrity_check", -1), 1);
    assert_int_equal (sqlite3_close (other), SQLITE_OK);
    assert_int_equal (s_rows_in_copy (self), rows);
}

static void
test_log_without_syncs_has_every_frame_that_is_published (void **state)
{
    desk_t *self = *state;
    assert_int_equal (stele_sql_exec (self->db, "PRAGMA synchronous = NORMAL;"
        "CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB)"), SQLITE_OK);
    for (int i = 1; i <= 8; i++)
        s_assert_published (self, "INSERT INTO rows (content) VALUES (zeroblob (3900))", i);
    assert_int_equal (stele_sql_exec (self->db, "PRAGMA synchronous = OFF"), SQLITE_OK);
    s_assert_published (self, "INSERT INTO rows (content) VALUES (zeroblob (30000))", 9);
}

static void
test_log_without_syncs_has_frames_that_a_transaction_wrote_twice (void **state)
{
    desk_t *self = *state;
    //  The cache is so small that pages are written before the commit, and again after further changes. Then
    //  SQLite ends the commit with the headers of all these frames
    assert_int_equal (stele_sql_exec (self->db, "PRAGMA synchronous = NORMAL; PRAGMA cache_size = 10;"
        "CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB)"), SQLITE_OK);
    int rows = 0;
    for (int i = 0; i < 3; i++) {
        rows += 64;
        s_assert_published (self, "BEGIN; INSERT INTO rows (content) WITH RECURSIVE number (n) AS (VALUES (1) UNION ALL "
            "SELECT n + 1 FROM number WHERE n < 64) SELECT zeroblob (3900) FROM number;"
            "UPDATE rows SET content = randomblob (3900); UPDATE rows SET content = randomblob (3900); COMMIT", rows);
    }
}

//  On a full disk, a write to shared memory without a block is a SIGBUS; so is one beyond the end of its file
static void
test_shared_memory_without_blocks_is_an_error_and_no_signal (void **state)
{
    desk_t *self = *state;
    assert_int_equal (stele_sql_exec (self->db, "CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB)"), SQLITE_OK);
    char memory [110];
    snprintf (memory, sizeof memory, "%s-shm", self->path);
    struct stat before;
    assert_int_equal (stat (memory, &before), 0);
    assert_int_equal (truncate (memory, 0), 0);
    const char *names [] = { stele_shm_vfs (), stele_wal_vfs () };
    for (int i = 0; i < 2; i++) {
        sqlite3 *other;
        assert_int_equal (sqlite3_open_v2 (self->path, &other, SQLITE_OPEN_READWRITE, names [i]), SQLITE_OK);
        assert_int_equal (sqlite3_exec (other, "INSERT INTO rows (content) VALUES ('a')", NULL, NULL, NULL), SQLITE_FULL);
        assert_int_equal (truncate (memory, before.st_size), 0);
        //  As soon as there is room
        assert_int_equal (sqlite3_exec (other, "INSERT INTO rows (content) VALUES ('a')", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal (sqlite3_close (other), SQLITE_OK);
        assert_int_equal (truncate (memory, 0), 0);
    }
    assert_int_equal (truncate (memory, before.st_size), 0);
    assert_int_equal (stele_sql_integer (self->db, "SELECT count (*) FROM rows", -1), 2);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_log_is_lengthened_once_for_many_commits, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_log_restarts_over_its_old_frames, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_log_without_room_for_zeros_takes_what_fits, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_log_error_of_zeros_is_no_error_of_the_log, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_log_without_syncs_has_every_frame_that_is_published, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_log_without_syncs_has_frames_that_a_transaction_wrote_twice,
            s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_shared_memory_without_blocks_is_an_error_and_no_signal, s_setup, s_teardown),
    };
    return cmocka_run_group_tests_name ("log_file", tests, NULL, NULL);
}
