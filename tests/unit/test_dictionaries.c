/*  test_dictionaries - a ledger trains dictionaries, and reads texts stored before and after

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"
#include <sqlite3.h>

#define TASKS 1500

//  A unique text of common words
static void
s_text (char *text, size_t size, int number)
{
    static const char *const words [] = {
        "parser", "request", "timeout", "worker", "database", "session", "rebuild", "failing",
        "endpoint", "permission", "migration", "regression", "dashboard", "exporter"
    };
    size_t used = 0;
    for (unsigned i = 0, seed = (unsigned) number; i < 24; i++) {
        seed = seed * 1103515245u + 12345u;
        used += (size_t) snprintf (text + used, size - used, "the %s of %u ", words [seed / 65536 % 14],
            seed % 1000);
    }
}

static void
s_append (fixture_t *self, int number)
{
    char text [1024];
    s_text (text, sizeof text, number);
    fixture_append (self, "{'type':'task.created','time':1,'task_id':'t%d','title':'t','description':'%s',"
        "'role':'r','metadata':{'team':'platform','number':%d,'labels':['one label','and another label']}}",
        number, text, number);
}

static int
s_compare (const stele_record_t *row, void *arg)
{
    char text [1024];
    s_text (text, sizeof text, *(int *) arg);
    const stele_value_t *description = &row->values [STELE_DESCRIPTION];
    assert_int_equal (description->size, strlen (text));
    assert_memory_equal (description->text, text, strlen (text));
    assert_non_null (strstr (row->values [STELE_METADATA].text, "\"number\":"));
    return 0;
}

static void
s_check_all (fixture_t *self)
{
    for (int i = 0; i < TASKS; i++) {
        char id [16];
        snprintf (id, sizeof id, "t%d", i);
        assert_int_equal (stele_reader_task (self->reader, id, strlen (id), s_compare, &i), 1);
    }
}

static int64_t
s_ask (fixture_t *self, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal (sqlite3_open_v2 (self->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal (sqlite3_prepare_v2 (db, sql, -1, &statement, NULL), SQLITE_OK);
    int64_t answer = sqlite3_step (statement) == SQLITE_ROW? sqlite3_column_int64 (statement, 0): 0;
    sqlite3_finalize (statement);
    sqlite3_close (db);
    return answer;
}

static void
s_append_all (fixture_t *self)
{
    for (int i = 0; i < TASKS; i++) {
        if (i % 100 == 0)
            fixture_begin (self);
        s_append (self, i);
        if (i % 100 == 99) {
            fixture_commit (self);
            assert_int_equal (stele_ledger_idle (self->ledger, 0), 0);
        }
    }
}

static void
test_dictionaries_texts_before_and_after_the_first_are_read (void **state)
{
    fixture_t *self = *state;
    s_append_all (self);
    assert_int_equal (s_ask (self, "SELECT count (*) FROM dictionaries"), 1);
    assert_true (s_ask (self, "SELECT avg (length (description)) FROM tasks WHERE id > 1400")
        < s_ask (self, "SELECT avg (length (description)) FROM tasks WHERE id < 100") * 3 / 4);
    s_check_all (self);
}

static void
test_dictionaries_after_a_restart_the_newest_is_used (void **state)
{
    fixture_t *self = *state;
    s_append_all (self);
    stele_refusal_t refusal;
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_QUICK, &refusal);
    self->reader = stele_reader_open (self->path, &refusal);
    assert_non_null (self->ledger);
    assert_non_null (self->reader);
    s_append (self, TASKS);
    assert_true (s_ask (self, "SELECT length (description) FROM tasks ORDER BY id DESC LIMIT 1") < 250);
    s_check_all (self);
    //  The writer's own reader decompresses too: an identical task.created is a duplicate
    fixture_begin (self);
    char text [1024];
    s_text (text, sizeof text, 3);
    char event [2048];
    snprintf (event, sizeof event, "{'type':'task.updated','time':2,'task_id':'t3','description':'%s.'}", text);
    fixture_append (self, "%s", event);
    fixture_commit (self);
}

static int
s_ignore (const stele_record_t *row, void *arg)
{
    (void) row;
    (void) arg;
    return 0;
}

static void
test_dictionaries_one_that_is_gone_is_an_error (void **state)
{
    fixture_t *self = *state;
    s_append_all (self);
    s_ask (self, "DELETE FROM dictionaries");
    assert_int_equal (stele_reader_task (self->reader, "t1499", 5, s_ignore, NULL), STELE_ELEDGER);
    assert_int_equal (stele_reader_task (self->reader, "t0", 2, s_ignore, NULL), 1);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fixture_new, fixture_destroy)
    const struct CMUnitTest tests [] = {
        TEST (test_dictionaries_texts_before_and_after_the_first_are_read),
        TEST (test_dictionaries_after_a_restart_the_newest_is_used),
        TEST (test_dictionaries_one_that_is_gone_is_an_error)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
