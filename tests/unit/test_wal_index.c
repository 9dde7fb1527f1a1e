/*  test_wal_index - a start discards the number of copied pages in shared memory, or refuses to share it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"
#include "sqlite/wal/wal_index.h"
#include "stele_error.h"

#define BACKFILL 96                 // Where the number of copied pages is
#define REGION   32768

//  In the place of SQLite's own function, so that tests can choose; 0: a version that was checked
static int s_version;

int
sqlite3_libversion_number (void)
{
    return s_version? s_version: STELE_WAL_INDEX_VERSION_MAX;
}

//  A connection that keeps the shared memory, as a shell would
static sqlite3 *
s_shell (const fixture_t *self)
{
    sqlite3 *db;
    assert_int_equal (sqlite3_open_v2 (self->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal (sqlite3_exec (db, "PRAGMA query_only = 1; SELECT count(*) FROM tasks", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal (sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
    return db;
}

static unsigned char *
s_memory (sqlite3 *db)
{
    sqlite3_file *file = NULL;
    void volatile *memory = NULL;
    assert_int_equal (sqlite3_file_control (db, "main", SQLITE_FCNTL_FILE_POINTER, &file), SQLITE_OK);
    assert_int_equal (file->pMethods->xShmMap (file, 0, REGION, 0, &memory), SQLITE_OK);
    assert_non_null (memory);
    return (unsigned char *) memory;
}

static uint32_t
s_copied (sqlite3 *db)
{
    uint32_t pages;
    memcpy (&pages, s_memory (db) + BACKFILL, sizeof pages);
    return pages;
}

static int
s_setup (void **state)
{
    s_version = 0;
    fixture_new (state);
    fixture_t *self = *state;
    for (int i = 0; i < 20; i++)
        fixture_append (self, "{'type':'task.created','time':1,'task_id':'t%d','title':'','description':'','role':'r'}", i);
    return 0;
}

//  A ledger whose log is all copied, as shared memory has it, while a shell keeps that
static sqlite3 *
s_leave_copied (fixture_t *self)
{
    sqlite3 *shell = s_shell (self);
    assert_int_equal (sqlite3_wal_checkpoint_v2 (shell, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL), SQLITE_OK);
    assert_true (s_copied (shell) > 0);
    return shell;
}

static void
s_close (fixture_t *self)
{
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
}

static void
s_reopen (fixture_t *self)
{
    stele_refusal_t refusal = { 0 };
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_FULL, &refusal);
    assert_string_equal (refusal.message, "");
    assert_int_equal (stele_ledger_head (self->ledger), 20);
    self->reader = stele_reader_open (self->path, &refusal);
    assert_non_null (self->reader);
}

static void
test_wal_index_layout_of_this_sqlite_was_checked (void **state)
{
    (void) state;
    int major = 0, minor = 0, patch = 0;
    assert_int_equal (sscanf (sqlite3_libversion (), "%d.%d.%d", &major, &minor, &patch), 3);
    int version = major * 1000000 + minor * 1000 + patch;
    assert_true (version >= STELE_WAL_INDEX_VERSION_MIN);
    if (version > STELE_WAL_INDEX_VERSION_MAX)
        fail_msg ("SQLite %s is newer than what was checked: compare its wal.c as wal_index.c says, then raise"
            " STELE_WAL_INDEX_VERSION_MAX", sqlite3_libversion ());
}

static void
test_wal_index_of_a_known_version_is_forgotten (void **state)
{
    fixture_t *self = *state;
    sqlite3 *shell = s_leave_copied (self);
    assert_true (stele_wal_index_is_known (s_memory (shell)));
    assert_int_equal (stele_wal_index_forget (shell, 0), 1);
    //  A second time there is nothing to forget
    assert_int_equal (stele_wal_index_forget (shell, 0), 1);
    assert_false (stele_wal_index_is_known (s_memory (shell)));
    assert_int_equal (stele_sql_integer (shell, "SELECT count(*) FROM tasks", -1), 20);
    assert_true (stele_wal_index_is_known (s_memory (shell)));
    assert_int_equal (s_copied (shell), 0);
    assert_int_equal (sqlite3_close (shell), SQLITE_OK);
}

static void
test_wal_index_of_an_unknown_version_is_not_touched (void **state)
{
    fixture_t *self = *state;
    static const int versions [] = { STELE_WAL_INDEX_VERSION_MIN - 1, STELE_WAL_INDEX_VERSION_MAX + 1 };
    sqlite3 *shell = s_leave_copied (self);
    unsigned char before [BACKFILL + 4];
    memcpy (before, s_memory (shell), sizeof before);
    for (size_t i = 0; i < 2; i++) {
        s_version = versions [i];
        assert_int_equal (stele_wal_index_forget (shell, 0), 0);
        assert_memory_equal (s_memory (shell), before, sizeof before);
    }
    assert_int_equal (sqlite3_close (shell), SQLITE_OK);
}

static void
test_wal_index_with_an_unknown_header_is_not_touched (void **state)
{
    fixture_t *self = *state;
    sqlite3 *shell = s_leave_copied (self);
    unsigned char *memory = s_memory (shell), before [BACKFILL];
    memcpy (before, memory, sizeof before);
    //  The format, a flag, a count, the checksum; in one copy, and in both
    static const size_t offsets [] = { 0, 12, 16, 40 };
    for (size_t i = 0; i < 8; i++) {
        memory [offsets [i / 2]] ^= 0x10;
        if (i % 2)
            memory [offsets [i / 2] + STELE_WAL_INDEX_HEADER / 2] ^= 0x10;
        unsigned char changed [BACKFILL];
        memcpy (changed, memory, sizeof changed);
        assert_int_equal (stele_wal_index_forget (shell, 0), 0);
        assert_memory_equal (memory, changed, sizeof changed);
        memcpy (memory, before, sizeof before);
    }
    assert_int_equal (stele_wal_index_forget (shell, 0), 1);
    assert_int_equal (sqlite3_close (shell), SQLITE_OK);
}

static void
test_wal_index_of_a_known_version_lets_the_ledger_open_beside_a_shell (void **state)
{
    fixture_t *self = *state;
    sqlite3 *shell = s_leave_copied (self);
    s_close (self);
    s_reopen (self);
    assert_int_equal (sqlite3_close (shell), SQLITE_OK);
}

static void
test_wal_index_of_an_unknown_version_is_renewed_by_the_open (void **state)
{
    fixture_t *self = *state;
    s_version = STELE_WAL_INDEX_VERSION_MAX + 1;
    //  The log stays, as after a crash
    sqlite3 *shell = s_leave_copied (self);
    s_close (self);
    assert_int_equal (sqlite3_close (shell), SQLITE_OK);
    s_reopen (self);
    fixture_append (self, "{'type':'preference.set','time':1,'preferred_model':'m'}");
    assert_int_equal (stele_reader_head (self->reader), 21);
    fixture_assert_intact (self);
}

static void
test_wal_index_of_an_unknown_version_is_not_shared_with_a_shell (void **state)
{
    fixture_t *self = *state;
    s_version = STELE_WAL_INDEX_VERSION_MAX + 1;
    sqlite3 *shell = s_leave_copied (self);
    s_close (self);
    stele_refusal_t refusal = { 0 };
    assert_null (stele_ledger_open (self->path, STELE_CHECK_NONE, &refusal));
    assert_int_equal (refusal.code, STELE_EBUSY);
    assert_non_null (strstr (refusal.message, "another process has it open"));
    assert_int_equal (stele_wal_index_renew (self->path, 0), STELE_EBUSY);
    assert_true (s_copied (shell) > 0);
    assert_int_equal (sqlite3_close (shell), SQLITE_OK);
    assert_int_equal (stele_wal_index_renew (self->path, 0), 0);
    s_reopen (self);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, fixture_destroy)
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_wal_index_layout_of_this_sqlite_was_checked),
        TEST (test_wal_index_of_a_known_version_is_forgotten),
        TEST (test_wal_index_of_an_unknown_version_is_not_touched),
        TEST (test_wal_index_with_an_unknown_header_is_not_touched),
        TEST (test_wal_index_of_a_known_version_lets_the_ledger_open_beside_a_shell),
        TEST (test_wal_index_of_an_unknown_version_is_renewed_by_the_open),
        TEST (test_wal_index_of_an_unknown_version_is_not_shared_with_a_shell)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
