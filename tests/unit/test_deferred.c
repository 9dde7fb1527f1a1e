/*  test_deferred - batches in one open transaction: what resume commits, and what a rollback must not hide

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"
#include "sqlite/write/ledger_internal.h"

#define SINCE 7

static void
s_batch (fixture_t *self, int number)
{
    fixture_append (self, "{'type': 'task.created', 'task_id': 't-%d', 'title': 'T', 'description': 'D',"
        " 'role': 'coder', 'time': 1000000}", number);
}

static void
test_comes_home (void **state)
{
    fixture_t *self = *state;
    s_batch (self, 1);
    assert_int_equal (stele_ledger_suspend (self->ledger, SINCE), 0);
    s_batch (self, 2);
    assert_int_equal (stele_ledger_head (self->ledger), 1);
    assert_int_equal (stele_ledger_left_suspended (self->ledger), SINCE);
    assert_int_equal (stele_ledger_resume (self->ledger, SINCE), 0);
    assert_int_equal (stele_ledger_head (self->ledger), 2);
    assert_int_equal (stele_ledger_left_suspended (self->ledger), 0);
    assert_int_equal (stele_ledger_last_resumed (self->ledger), SINCE);
}

//  As after some errors, SQLite has rolled back all of it: the next start needs the mark, and what Redis
//  has, so nothing may be written any more
static void
test_rolled_back (void **state)
{
    fixture_t *self = *state;
    s_batch (self, 1);
    assert_int_equal (stele_ledger_suspend (self->ledger, SINCE), 0);
    s_batch (self, 2);
    assert_true (stele_ledger_suspended (self->ledger));
    assert_int_equal (sqlite3_exec (self->ledger->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_false (stele_ledger_suspended (self->ledger));
    assert_int_equal (stele_ledger_resume (self->ledger, SINCE), STELE_EIO);
    assert_int_equal (stele_ledger_left_suspended (self->ledger), SINCE);
    assert_int_equal (stele_ledger_last_resumed (self->ledger), 0);
    assert_int_equal (stele_ledger_begin (self->ledger), STELE_EIO);
}

static int
s_fail_commit (void *arg)
{
    (void) arg;
    return 1;
}

//  A commit that fails takes back everything: no batch may follow in the place of what is gone
static void
test_commit_fails (void **state)
{
    fixture_t *self = *state;
    s_batch (self, 1);
    assert_int_equal (stele_ledger_suspend (self->ledger, SINCE), 0);
    s_batch (self, 2);
    sqlite3_commit_hook (self->ledger->db, s_fail_commit, NULL);
    assert_int_not_equal (stele_ledger_resume (self->ledger, SINCE), 0);
    sqlite3_commit_hook (self->ledger->db, NULL, NULL);
    assert_false (stele_ledger_suspended (self->ledger));
    assert_int_equal (stele_ledger_begin (self->ledger), STELE_EIO);
    assert_int_equal (stele_ledger_left_suspended (self->ledger), SINCE);
    assert_int_equal (stele_ledger_last_resumed (self->ledger), 0);
}

int
main (void)
{
#define IN_LEDGER(test) cmocka_unit_test_setup_teardown (test, fixture_new, fixture_destroy)
    const struct CMUnitTest tests [] = {
        IN_LEDGER (test_comes_home),
        IN_LEDGER (test_rolled_back),
        IN_LEDGER (test_commit_fails)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
