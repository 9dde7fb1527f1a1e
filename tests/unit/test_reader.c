/*  test_reader - the appended log is read back; calls are bounded and see one snapshot

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <pthread.h>
#include "ledger_fixture.h"
#include "sqlite/reader/reader_bounds.h"

//  -- opening --------------------------------------------------------------------

static void
test_reader_open_refuses_other_files (void **state)
{
    fixture_t *self = *state;
    stele_refusal_t refusal = { 0 };
    char path [128];
    snprintf (path, sizeof path, "%s/none", self->folder);
    assert_null (stele_reader_open (path, &refusal));
    assert_int_equal (refusal.code, STELE_EIO);

    FILE *file = fopen (path, "w");
    for (int i = 0; i < 4096; i++)
        fputc ('x', file);
    fclose (file);
    assert_null (stele_reader_open (path, &refusal));
    assert_int_equal (refusal.code, STELE_ELEDGER);

    file = fopen (path, "w");
    fclose (file);
    assert_null (stele_reader_open (path, &refusal));
    assert_int_equal (refusal.code, STELE_ELEDGER);
    unlink (path);
}

static void
test_reader_head_follows_commits (void **state)
{
    fixture_t *self = *state;
    assert_string_equal (stele_reader_ledger_id (self->reader), stele_ledger_id (self->ledger));
    assert_int_equal (stele_reader_head (self->reader), 0);
    assert_int_equal (stele_reader_position_at (self->reader, INT64_MAX), 0);
    assert_int_equal (stele_reader_commit_time (self->reader, 1), 0);
    for (int i = 0; i < 20; i++) {
        fixture_begin (self);
        for (int j = 0; j <= i % 3; j++)
            fixture_append (self, "{'type':'preference.set','preferred_model':'m','time':5}");
        if (i == 0)
            assert_int_equal (stele_reader_head (self->reader), 0);
        fixture_commit (self);
    }
    assert_int_equal (stele_reader_head (self->reader), 39);
    //  Commits at 1000, 2000, ... hold positions 1, 2-3, 4-6, 7, 8-9, ...
    assert_int_equal (stele_reader_position_at (self->reader, 999), 0);
    assert_int_equal (stele_reader_position_at (self->reader, 1000), 1);
    assert_int_equal (stele_reader_position_at (self->reader, 2999), 3);
    assert_int_equal (stele_reader_position_at (self->reader, 4000), 7);
    assert_int_equal (stele_reader_position_at (self->reader, 20000), 39);
    assert_int_equal (stele_reader_commit_time (self->reader, 1), 1000);
    assert_int_equal (stele_reader_commit_time (self->reader, 3), 2000);
    assert_int_equal (stele_reader_commit_time (self->reader, 39), 20000);
    assert_int_equal (stele_reader_commit_time (self->reader, 40), 0);
}

static void
test_reader_follower_returns_saved_position (void **state)
{
    fixture_t *self = *state;
    assert_int_equal (stele_reader_follower (self->reader, "pipeline"), -1);
    fixture_begin (self);
    assert_int_equal (stele_ledger_follower_save (self->ledger, "pipeline", 17, 1), 0);
    fixture_commit (self);
    assert_int_equal (stele_reader_follower (self->reader, "pipeline"), 17);
}

//  -- the log -----------------------------------------------------------------------

//  An event as sent, with its position
static void
s_with_position (char *text, size_t size, const char *event, int64_t position)
{
    snprintf (text, size, "{'position':%lld,%s", (long long) position, event + 1);
}

static void
test_reader_events_are_as_sent (void **state)
{
    fixture_t *self = *state;
    char expected [2048];
    for (int i = 0; i < FIXTURE_EVENTS_ALL; i++)
        assert_int_equal (fixture_append (self, "%s", fixture_events_all [i]), i + 1);
    for (int i = 0; i < FIXTURE_EVENTS_ALL; i++) {
        s_with_position (expected, sizeof expected, fixture_events_all [i], i + 1);
        fixture_assert_event (self, i + 1, expected);
    }
    json_t *events = fixture_events (self, 0, 100, 0);
    assert_int_equal (json_array_size (events), FIXTURE_EVENTS_ALL);
    json_decref (events);
}

static void
test_reader_events_are_without_gap_by_type_and_limit (void **state)
{
    fixture_t *self = *state;
    for (int i = 0; i < FIXTURE_EVENTS_ALL; i++)
        fixture_append (self, "%s", fixture_events_all [i]);
    for (int64_t limit = 0; limit <= FIXTURE_EVENTS_ALL + 1; limit++) {
        int64_t last = 0;
        for (;;) {
            json_t *events = fixture_events (self, last, limit, 0);
            size_t count = json_array_size (events);
            for (size_t i = 0; i < count; i++)
                assert_int_equal (json_integer_value (json_object_get (json_array_get (events, i), "position")), ++last);
            json_decref (events);
            if ((int64_t) count < limit || limit == 0)
                break;
        }
        assert_int_equal (last, limit? FIXTURE_EVENTS_ALL: 0);
    }
    int64_t sum = 0;
    for (int type = 1; type < STELE_EVENT_TYPE_END; type++) {
        json_t *events = fixture_events (self, 0, 100, 1u << type);
        sum += (int64_t) json_array_size (events);
        size_t i;
        json_t *event;
        json_array_foreach (events, i, event)
            assert_string_equal (json_string_value (json_object_get (event, "type")),
                stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, type));
        json_decref (events);
    }
    assert_int_equal (sum, FIXTURE_EVENTS_ALL);
}

static void
test_reader_events_row_function_ends_the_read (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'preference.set','preferred_model':'m','time':5}");
    int answer = 1;
    assert_int_equal (stele_reader_events (self->reader, 0, 9, 0, fixture_stop, &answer), 0);
    answer = STELE_ETOO_LARGE;
    assert_int_equal (stele_reader_events (self->reader, 0, 9, 0, fixture_stop, &answer), STELE_ETOO_LARGE);
}

static void
test_reader_events_large_content_is_whole (void **state)
{
    fixture_t *self = *state;
    char content [6000];
    for (size_t i = 0; i < sizeof content - 1; i++)
        content [i] = "the same line\n" [i % 13];
    content [sizeof content - 1] = 0;
    fixture_append (self, "{'type':'task.output_added','time':1,'task_id':'t','output_type':'log','content':'%s'}", content);
    char expected [8000];
    snprintf (expected, sizeof expected, "{'type':'task.output_added','time':1,'task_id':'t',"
        "'output_type':'log','content':'%s','position':1}", content);
    fixture_assert_event (self, 1, expected);
}

#define FOLLOWED 3000

static void *
s_write (void *arg)
{
    stele_ledger_t *ledger = arg;
    stele_record_t *event = stele_record_new ();
    intptr_t failed = 0;
    for (int64_t last = 0; last < FOLLOWED && !failed; ) {
        failed |= stele_ledger_begin (ledger);
        for (int i = 0; i < 7 && last < FOLLOWED; i++) {
            stele_record_clear (event);
            event->type = i % 2? STELE_TASK_METRIC_RECORDED: STELE_TASK_STATE_CHANGED;
            stele_record_set_integer (event, STELE_TIME, last);
            stele_record_set_text (event, STELE_TASK_ID, &"abcdefgh" [i], 1);
            stele_record_set_text (event, STELE_NAME, "n", 1);
            stele_record_set_integer (event, STELE_VALUE, i);
            stele_record_set_word (event, STELE_STATE, STELE_VOCABULARY_TASK_STATE, STELE_TASK_RUNNING);
            failed |= stele_ledger_append (ledger, event, 0, &last, NULL) != 1;
        }
        failed |= stele_ledger_commit (ledger, last);
        failed |= stele_ledger_idle (ledger, last % 700 == 0? 1000000: 0);
    }
    stele_record_destroy (&event);
    return (void *) failed;
}

static int
s_follow (const stele_record_t *row, void *arg)
{
    int64_t *last = arg;
    assert_int_equal (row->values [STELE_POSITION].integer, *last + 1);
    ++*last;
    return 0;
}

static void
test_reader_events_follow_a_writer_without_gap (void **state)
{
    fixture_t *self = *state;
    pthread_t writer;
    assert_int_equal (pthread_create (&writer, NULL, s_write, self->ledger), 0);
    int64_t last = 0;
    while (last < FOLLOWED)
        assert_int_equal (stele_reader_events (self->reader, last, 50, 0, s_follow, &last), 0);
    void *failed;
    assert_int_equal (pthread_join (writer, &failed), 0);
    assert_null (failed);
}

typedef struct { fixture_t *fixture; json_t *keys; json_t *rows; } s_touched_t;

static int
s_on_touched (bool is_task, int64_t key, void *arg)
{
    s_touched_t *touched = arg;
    json_array_append_new (touched->keys, json_integer (is_task? key: -key));
    //  The function of stele_reader_touched may call the reader
    stele_reader_t *reader = touched->fixture->reader;
    assert_int_equal (is_task? stele_reader_task_by_key (reader, key, fixture_add, touched->rows):
        stele_reader_session_by_key (reader, key, fixture_add, touched->rows), 1);
    return 0;
}

static void
s_assert_touched (fixture_t *self, int64_t after, int64_t upto, int64_t limit, int64_t last, const char *keys)
{
    s_touched_t touched = { self, json_array (), json_array () };
    assert_int_equal (stele_reader_touched (self->reader, after, upto, limit, true, s_on_touched, &touched), last);
    fixture_assert_json (touched.keys, keys);
    json_decref (touched.keys);
    json_decref (touched.rows);
}

static void
test_reader_touched_returns_each_key_once (void **state)
{
    fixture_t *self = *state;
    s_assert_touched (self, 0, 100, 100, 0, "[]");
    fixture_append (self, "{'type':'task.state_changed','time':1,'task_id':'a','state':'running'}");
    fixture_append (self, "{'type':'task.output_added','time':1,'task_id':'b','output_type':'log','content':'x'}");
    fixture_append (self, "{'type':'task.metric_recorded','time':1,'task_id':'a','name':'n','value':1}");
    fixture_append (self, "{'type':'session.state_changed','time':1,'session_id':'s','state':'running'}");
    fixture_append (self, "{'type':'session.command_executed','time':1,'session_id':'s','command':'c'}");
    fixture_append (self, "{'type':'preference.set','time':1,'preferred_model':'m'}");
    s_assert_touched (self, 0, 100, 100, 6, "[1,2,-4]");
    s_assert_touched (self, 0, 3, 100, 3, "[1,2]");
    s_assert_touched (self, 2, 100, 2, 4, "[1,-4]");
    s_assert_touched (self, 5, 100, 100, 6, "[]");
    s_assert_touched (self, 6, 100, 100, 6, "[]");
    s_assert_touched (self, 9, 100, 100, 9, "[]");
}

//  -- calls -------------------------------------------------------------------------------

static void
test_reader_begin_holds_one_snapshot (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'preference.set','time':1,'preferred_model':'m'}");
    assert_int_equal (stele_reader_begin (self->reader), 0);
    assert_int_equal (stele_reader_head (self->reader), 1);
    fixture_append (self, "{'type':'preference.set','time':1,'preferred_model':'m'}");
    assert_int_equal (stele_reader_head (self->reader), 1);
    json_t *events = fixture_events (self, 0, 9, 0);
    assert_int_equal (json_array_size (events), 1);
    json_decref (events);
    stele_reader_end (self->reader);
    assert_int_equal (stele_reader_head (self->reader), 2);
}

//  Wastes the time of the request
static int
s_dawdle (const stele_record_t *row, void *arg)
{
    (void) row;
    ++*(int *) arg;
    usleep (200);
    return 0;
}

static void
test_reader_deadline_ends_a_call (void **state)
{
    fixture_t *self = *state;
    fixture_begin (self);
    for (int i = 0; i < 5000; i++)
        fixture_append (self, "{'type':'task.metric_recorded','time':1,'task_id':'t','name':'n','value':1}");
    fixture_commit (self);
    int count = 0;
    stele_reader_set_deadline (self->reader, 200);     // All of them take a second
    assert_int_equal (stele_reader_events (self->reader, 0, 5000, 0, s_dawdle, &count), STELE_ETIMEOUT);
    assert_true (count > 0 && count < 5000);
    assert_string_not_equal (stele_reader_error (self->reader), "");
    //  No statement stays open, and without a deadline calls succeed again
    stele_reader_set_deadline (self->reader, 0);
    json_t *events = fixture_events (self, 4998, 9, 0);
    assert_int_equal (json_array_size (events), 2);
    json_decref (events);
    fixture_append (self, "{'type':'preference.set','time':1,'preferred_model':'m'}");
    assert_int_equal (stele_reader_head (self->reader), 5001);
}

//  One start with the clock in the future, then with the right one, and again
static void
test_reader_commit_times_recover_from_a_wrong_clock (void **state)
{
    fixture_t *self = *state;
    static const int64_t seconds [] = { 1000, 1010, 900000, 900010, 1020, 1030, 800000, 1040 };
    for (int i = 0; i < 8; i++) {
        fixture_begin (self);
        fixture_append (self, "{'type':'preference.set','time':1,'preferred_model':'m'}");
        self->clock = seconds [i] * 1000000 - 1000;
        fixture_commit (self);
    }
    static const int64_t expected [] = { 1000, 1010, 1020, 1020, 1020, 1030, 1040, 1040 };
    for (int i = 0; i < 8; i++)
        assert_int_equal (stele_reader_commit_time (self->reader, i + 1), expected [i] * 1000000);
    assert_int_equal (stele_reader_position_at (self->reader, 999ll * 1000000), 0);
    assert_int_equal (stele_reader_position_at (self->reader, 1015ll * 1000000), 2);
    assert_int_equal (stele_reader_position_at (self->reader, 1020ll * 1000000), 5);
    assert_int_equal (stele_reader_position_at (self->reader, 1035ll * 1000000), 6);
    assert_int_equal (stele_reader_position_at (self->reader, 1040ll * 1000000), 8);
    assert_int_equal (stele_reader_position_at (self->reader, INT64_MAX), 8);
    //  A small step back repeats the time
    fixture_begin (self);
    fixture_append (self, "{'type':'preference.set','time':1,'preferred_model':'m'}");
    self->clock = 1035ll * 1000000 - 1000;
    fixture_commit (self);
    assert_int_equal (stele_reader_commit_time (self->reader, 9), 1040ll * 1000000);
}

//  A machine that boots in the past, and gets the right time later
static void
test_reader_commit_times_recover_from_a_clock_in_the_past (void **state)
{
    fixture_t *self = *state;
    static const int64_t seconds [] = { 1000, 1010, 1, 2, 1020 };
    static const int64_t expected [] = { 1000, 1010, 1010, 1010, 1020 };
    for (int i = 0; i < 5; i++) {
        fixture_begin (self);
        fixture_append (self, "{'type':'preference.set','time':1,'preferred_model':'m'}");
        self->clock = seconds [i] * 1000000 - 1000;
        fixture_commit (self);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal (stele_reader_commit_time (self->reader, i + 1), expected [i] * 1000000);
    assert_int_equal (stele_reader_position_at (self->reader, 500ll * 1000000), 0);
    assert_int_equal (stele_reader_position_at (self->reader, 1005ll * 1000000), 1);
    assert_int_equal (stele_reader_position_at (self->reader, 1010ll * 1000000), 4);
    assert_int_equal (stele_reader_position_at (self->reader, 1020ll * 1000000), 5);
}

static int
s_on_count (const char *word, int64_t count, void *arg)
{
    json_object_set_new (arg, word? word: "(none)", json_integer (count));
    return 0;
}

static void
test_reader_stats_count_rows (void **state)
{
    fixture_t *self = *state;
    stele_ledger_stats_t stats;
    assert_int_equal (stele_reader_stats (self->reader, &stats), 0);
    assert_int_equal (stats.tasks, 0);
    for (int round = 1; round <= 2; round++) {
        fixture_append (self, "{'type':'task.created','time':1,'task_id':'a%d','title':'','description':'','role':'r'}", round);
        fixture_append (self, "{'type':'task.state_changed','time':1,'task_id':'b%d','state':'passed','model':'m'}", round);
        fixture_append (self, "{'type':'session.state_changed','time':1,'session_id':'s%d','state':'running'}", round);
        assert_int_equal (stele_reader_stats (self->reader, &stats), 0);
        assert_int_equal (stats.tasks, 2 * round);
        assert_int_equal (stats.by_state [STELE_TASK_QUEUED], round);
        assert_int_equal (stats.by_state [STELE_TASK_PASSED], round);
        assert_int_equal (stats.sessions, round);
        assert_int_equal (stats.commits, 3 * round);
        assert_true (stats.storage [0].value > 0 && stats.storage [1].value > 0 && stats.storage [2].value == 0 && !stats.storage [3].name);
    }
    json_t *counts = json_object ();
    assert_int_equal (stele_reader_counts (self->reader, 0, s_on_count, counts), 0);
    fixture_assert_json (counts, "{'r':2,'(none)':2}");
    json_object_clear (counts);
    assert_int_equal (stele_reader_counts (self->reader, 2, s_on_count, counts), 0);
    fixture_assert_json (counts, "{'m':2,'(none)':2}");
    json_decref (counts);
}

static void
test_reader_storage_is_measured_up_to_a_bound (void **state)
{
    fixture_t *self = *state;
    stele_storage_t all, part;
    fixture_begin (self);
    fixture_append (self, "{'type':'preference.set','preferred_model':'m','time':5}");
    fixture_commit (self);
    assert_int_equal (stele_reader_storage (self->reader, &all), 0);
    assert_int_equal (all.unmeasured_bytes, 0);

    stele_refusal_t refusal = { 0 };
    stele_reader_t *reader = stele_reader_open (self->path, &refusal);
    stele_reader_set_bounds (reader, &(stele_reader_bounds_t) { .storage_pages = 2 });
    assert_int_equal (stele_reader_storage (reader, &part), 0);
    assert_int_equal (part.file_bytes, all.file_bytes);
    assert_int_equal (part.unmeasured_bytes, all.file_bytes - all.free_bytes - 2 * 4096);
    int64_t measured = 0;
    for (size_t i = 0; part.tables [i].bytes; i++)
        measured += part.tables [i].bytes;
    assert_int_equal (measured, 2 * 4096);
    stele_reader_close (&reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, fixture_new, fixture_destroy)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_reader_open_refuses_other_files),
        TEST (test_reader_head_follows_commits),
        TEST (test_reader_commit_times_recover_from_a_wrong_clock),
        TEST (test_reader_commit_times_recover_from_a_clock_in_the_past),
        TEST (test_reader_follower_returns_saved_position),
        TEST (test_reader_events_are_as_sent),
        TEST (test_reader_events_are_without_gap_by_type_and_limit),
        TEST (test_reader_events_row_function_ends_the_read),
        TEST (test_reader_events_large_content_is_whole),
        TEST (test_reader_events_follow_a_writer_without_gap),
        TEST (test_reader_touched_returns_each_key_once),
        TEST (test_reader_begin_holds_one_snapshot),
        TEST (test_reader_deadline_ends_a_call),
        TEST (test_reader_stats_count_rows),
        TEST (test_reader_storage_is_measured_up_to_a_bound)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
