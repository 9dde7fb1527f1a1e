/*  test_ledger_check - checks of an open: all of a small ledger, the important parts of a large one

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"
#include <sqlite3.h>

#define OUTPUT_SIZE (6 * 1024 * 1024)

//  Some MiB that do not compress, as the output of a task, and a few events after them
static void
s_fill (fixture_t *self, int outputs)
{
    char *noise = malloc (OUTPUT_SIZE);
    assert_non_null (noise);
    uint64_t seed = 88172645463325252u;
    for (size_t i = 0; i < OUTPUT_SIZE; i += sizeof seed) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        memcpy (noise + i, &seed, sizeof seed);
    }
    for (int i = 0; i < outputs; i++) {
        stele_record_clear (self->event);
        self->event->type = STELE_TASK_OUTPUT_ADDED;
        stele_record_set_text (self->event, STELE_TASK_ID, "t", 1);
        stele_record_set_integer (self->event, STELE_TIME, 100);
        stele_record_set_word (self->event, STELE_OUTPUT_TYPE, STELE_VOCABULARY_OUTPUT_TYPE, 4);
        stele_record_set_bytes (self->event, STELE_CONTENT, noise, OUTPUT_SIZE);
        int64_t position;
        stele_refusal_t refusal;
        fixture_begin (self);
        assert_int_equal (stele_ledger_append (self->ledger, self->event, 0, &position, &refusal), 1);
        fixture_commit (self);
    }
    free (noise);
    for (int i = 0; i < 10; i++)
        fixture_append (self, "{'type':'task.metric_recorded','time':%d,'task_id':'t','name':'n','value':1}", 200 + i);
}

static void
s_run (fixture_t *self, const char *sql)
{
    sqlite3 *db;
    assert_int_equal (sqlite3_open_v2 (self->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal (sqlite3_exec (db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close (db);
}

static char s_message [1024];       // Of the last refusal

static bool
s_opens (fixture_t *self, stele_check_t check, const char *reason)
{
    stele_refusal_t refusal = { 0 };
    self->ledger = stele_ledger_open (self->path, check, &refusal);
    if (self->ledger)
        return true;
    assert_int_equal (refusal.code, STELE_ELEDGER);
    assert_non_null (strstr (refusal.message, reason));
    snprintf (s_message, sizeof s_message, "%s", refusal.message);
    assert_null (strchr (refusal.message, '\n'));
    assert_null (strstr (refusal.message, "***"));
    return false;
}

static void
s_check_after_loss (fixture_t *self, int outputs)
{
    s_fill (self, outputs);
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    assert_true (s_opens (self, STELE_CHECK_QUICK, ""));
    stele_ledger_close (&self->ledger);
    assert_true (s_opens (self, STELE_CHECK_FULL, ""));
    stele_ledger_close (&self->ledger);
}

static void
test_ledger_check_large_with_a_newest_event_gone_is_refused (void **state)
{
    fixture_t *self = *state;
    s_check_after_loss (self, 6);
    s_run (self, "DROP TRIGGER task_metrics_no_delete; DELETE FROM task_metrics WHERE position = 12");
    assert_false (s_opens (self, STELE_CHECK_QUICK, "events are missing among the newest"));
    assert_true (s_opens (self, STELE_CHECK_NONE, ""));
}

static void
test_ledger_check_small_with_a_damaged_page_is_refused (void **state)
{
    fixture_t *self = *state;
    s_check_after_loss (self, 0);
    int named = 0;
    char copy [200];
    snprintf (copy, sizeof copy, "%s.rescued-20260302T090000Z", self->path);
    FILE *rescued = fopen (copy, "w");
    assert_non_null (rescued);
    fclose (rescued);
    for (int page = 1; page < 200; page++) {
        FILE *file = fopen (self->path, "r+b");
        assert_non_null (file);
        unsigned char kind = 0;
        //  A leaf of a table: its kind is no kind any more
        if (fseek (file, page * 4096L, SEEK_SET) != 0 || fread (&kind, 1, 1, file) != 1) {
            fclose (file);
            break;
        }
        if (kind == 13) {
            fseek (file, page * 4096L, SEEK_SET);
            assert_int_equal (fputc (77, file), 77);
            fclose (file);
            assert_false (s_opens (self, STELE_CHECK_QUICK, ""));
            named += strstr (s_message, copy) != NULL;
            file = fopen (self->path, "r+b");
            assert_non_null (file);
            fseek (file, page * 4096L, SEEK_SET);
            fputc (13, file);
        }
        fclose (file);
    }
    assert_true (named > 0);
    unlink (copy);
    assert_true (s_opens (self, STELE_CHECK_QUICK, ""));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_ledger_check_large_with_a_newest_event_gone_is_refused,
            fixture_new, fixture_destroy),
        cmocka_unit_test_setup_teardown (test_ledger_check_small_with_a_damaged_page_is_refused,
            fixture_new, fixture_destroy)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
